//! How a server is to be, and its files before it starts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::home::home;
use super::disk;
use super::template::{Template, succeed};

pub(super) const AUTHORITY: &str = "authority.crt";

/// How clients over TCP say who they are.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Auth {
    #[default]
    Trust,
    Md5,
    Scram,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Tls {
    #[default]
    Off,
    Offered,
    Required,
}

/// How a server is to be. It is quick and forgetful by default: `fsync` is off.
#[derive(Default)]
pub(crate) struct Setup {
    pub(super) auth: Auth,
    tls: Tls,
    has_fillable_disk: bool,
    settings: Vec<(&'static str, String)>,
}

impl Setup {
    /// A setting, as in `("max_connections", "5")`. The last one wins.
    pub(crate) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.push((name, value.to_owned()));
        self
    }

    pub(crate) fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// TLS for who wants it, with a certificate for `127.0.0.1` and `localhost` signed by
    /// `Postgres::authority`.
    pub(crate) fn tls(mut self) -> Self {
        self.tls = Tls::Offered;
        self
    }

    /// The same, and nothing without it.
    pub(crate) fn tls_required(mut self) -> Self {
        self.tls = Tls::Required;
        self
    }

    /// A disk that `Postgres::fill_disk` fills.
    pub(crate) fn fillable_disk(mut self) -> Self {
        self.has_fillable_disk = true;
        self
    }

    /// Makes the files of a server in `room`; its command.
    pub(super) async fn prepare(&self, room: &Path, port: u16) -> Command {
        let template = Template::get().await;
        let data = room.join("data");
        template.copy(&data);
        self.who_may(&data.join("pg_hba.conf"));
        let mut command = home().command(&template.program("postgres"));
        command.arg("-D").arg(&data);
        let mut set = |name: &str, value: &str| {
            command.arg("-c").arg(format!("{name}={value}"));
        };
        set("listen_addresses", "127.0.0.1");
        set("port", &port.to_string());
        set("unix_socket_directories", &room.to_string_lossy());
        set("fsync", "off");
        set("full_page_writes", "off");
        // In its directory and not in the machine's memory, where a killed one would leave it.
        set("dynamic_shared_memory_type", "mmap");
        set("log_line_prefix", "%m %u@%d ");
        if self.tls != Tls::Off {
            let (certificate, key) = certify(room);
            set("ssl", "on");
            set("ssl_cert_file", &certificate.to_string_lossy());
            set("ssl_key_file", &key.to_string_lossy());
        }
        for (name, value) in &self.settings {
            set(name, value);
        }
        if self.has_fillable_disk {
            disk::make_fillable(&mut command, room);
        }
        command
    }

    /// The superuser is let in by the socket only, which lies where nobody else can reach it.
    fn who_may(&self, hba: &Path) {
        let method = match self.auth {
            Auth::Trust => "trust",
            Auth::Md5 => "md5",
            Auth::Scram => "scram-sha-256",
        };
        let kind = match self.tls {
            Tls::Required => "hostssl",
            Tls::Off | Tls::Offered => "host",
        };
        let lines = format!("local all all trust\n{kind} all all 127.0.0.1/32 {method}\n");
        fs::write(hba, lines).unwrap();
    }
}

/// A certificate and its key, and who signed it: all new, all for a day or two.
fn certify(room: &Path) -> (PathBuf, PathBuf) {
    let at = |name: &str| room.join(name);
    let request = |subject: &str, name: &str| {
        let mut openssl = Command::new("openssl");
        openssl
            .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
            .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", subject])
            .arg("-keyout")
            .arg(at(&format!("{name}.key")))
            .arg("-out")
            .arg(at(&format!("{name}.crt")));
        openssl
    };
    succeed(&mut request("/CN=authority of a test", "authority"));
    succeed(
        request("/CN=localhost", "server")
            .arg("-CA")
            .arg(at(AUTHORITY))
            .arg("-CAkey")
            .arg(at("authority.key"))
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .args(["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]),
    );
    let (certificate, key) = (at("server.crt"), at("server.key"));
    // PostgreSQL refuses a key that others can read.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    for path in [&certificate, &key] {
        home().give(path);
    }
    (certificate, key)
}

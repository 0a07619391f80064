//! Where telemetry goes, in `OpenTelemetry`'s own variables. They are read here like any other
//! setting: the libraries that send it are told, and read nothing themselves.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::header::{HeaderName, HeaderValue};

use super::fault::{Problem, class};
use super::reader::Reader;
use super::{Otlp, Sampler, SamplerKind};

/// The port at which collectors take gRPC, which this service does not speak.
const GRPC_PORT: u16 = 4317;

pub(super) fn otlp(r: &mut Reader<'_>) -> Otlp {
    let base = r.url("OTEL_EXPORTER_OTLP_ENDPOINT");
    let mut signal = |name, path| {
        let own = r.url(name);
        own.or_else(|| base.as_ref().map(|base| format!("{base}{path}")))
    };
    let traces = signal("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces");
    let metrics = signal("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "/v1/metrics");
    let is_on = !r.truth("OTEL_SDK_DISABLED");
    for (name, url) in [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", &metrics),
    ] {
        warn_of_grpc(r, name, url.as_deref());
    }
    let interval: Option<u64> = r.number("OTEL_METRIC_EXPORT_INTERVAL", 100..=3_600_000);
    Otlp {
        traces: traces.filter(|_| is_on),
        metrics: metrics.filter(|_| is_on),
        headers: r
            .read("OTEL_EXPORTER_OTLP_HEADERS", headers)
            .unwrap_or_default(),
        timeout: r.millis("OTEL_EXPORTER_OTLP_TIMEOUT"),
        interval: Duration::from_millis(interval.unwrap_or_default()),
        service: r.header("OTEL_SERVICE_NAME").unwrap_or_default(),
        resource: r
            .read("OTEL_RESOURCE_ATTRIBUTES", resource)
            .unwrap_or_default(),
        sampler: sampler(r),
    }
}

/// Half of all set-ups that "send nothing" have this port in them.
fn warn_of_grpc(r: &mut Reader<'_>, name: &'static str, url: Option<&str>) {
    let port = url
        .and_then(|url| reqwest::Url::parse(url).ok())
        .and_then(|url| url.port());
    if port != Some(GRPC_PORT) {
        return;
    }
    let name = match r.is_set(name) {
        true => name,
        false => "OTEL_EXPORTER_OTLP_ENDPOINT",
    };
    let warning = format!(
        "{name} has port {GRPC_PORT}, where collectors speak gRPC; telemetry is sent as \
         HTTP/protobuf, usually to port 4318"
    );
    // The one address of both signals is warned about once.
    if !r.warnings.contains(&warning) {
        r.warnings.push(warning);
    }
}

/// `name=value,name=value`, values percent-encoded. What is wrong is told without the value.
fn pairs(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let parts = text.split(',').map(str::trim).filter(|p| !p.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').ok_or("a part of it has no `=`")?;
            let value = percent_decode_str(value.trim()).decode_utf8();
            let value = value.map_err(|_| "a value of it is not UTF-8")?;
            match name.trim() {
                "" => Err("a part of it has no name".into()),
                name => Ok((name.to_owned(), value.into_owned())),
            }
        })
        .collect()
}

fn headers(text: &str) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
    let pairs = pairs(text)?.into_iter();
    pairs
        .map(|(name, value)| {
            let name = name.parse().map_err(|_| "a name of it is no header's")?;
            let mut value =
                HeaderValue::from_str(&value).map_err(|_| "a value of it cannot be a header's")?;
            value.set_sensitive(true);
            Ok((name, value))
        })
        .collect()
}

fn resource(text: &str) -> Result<Vec<(String, String)>, Problem> {
    pairs(text)
}

fn sampler(r: &mut Reader<'_>) -> Sampler {
    use SamplerKind::{AlwaysOff, AlwaysOn, Ratio};
    const WORDS: &[(&str, (bool, SamplerKind))] = &[
        ("always_on", (false, AlwaysOn)),
        ("always_off", (false, AlwaysOff)),
        ("traceidratio", (false, Ratio)),
        ("parentbased_always_on", (true, AlwaysOn)),
        ("parentbased_always_off", (true, AlwaysOff)),
        ("parentbased_traceidratio", (true, Ratio)),
    ];
    let (heeds_parent, kind) = r
        .one_of("OTEL_TRACES_SAMPLER", WORDS)
        .unwrap_or((true, AlwaysOn));
    let ratio = r.read("OTEL_TRACES_SAMPLER_ARG", |text| {
        let ratio = text.parse().ok().filter(|r| (0.0..=1.0).contains(r));
        ratio.ok_or_else(|| format!("not a number from 0 to 1, got {}", class(text)).into())
    });
    Sampler {
        heeds_parent,
        kind,
        ratio: ratio.unwrap_or(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources, load};

    fn loaded(pairs: &[(&str, &str)]) -> Settings {
        load(&Sources::from_pairs(pairs.iter().copied())).unwrap()
    }

    #[test]
    fn an_endpoint_is_both_signals_and_each_may_have_its_own() {
        let off = loaded(&[]).otlp;
        assert!(off.traces.is_none() && off.metrics.is_none());
        assert_eq!(off.service, "clm");
        assert_eq!(off.interval, Duration::from_secs(15));
        let both = loaded(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/")]).otlp;
        assert_eq!(both.traces.unwrap(), "http://c:4318/v1/traces");
        assert_eq!(both.metrics.unwrap(), "http://c:4318/v1/metrics");
        let one = loaded(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://t/in")]).otlp;
        assert_eq!(one.traces.unwrap(), "https://t/in");
        assert!(one.metrics.is_none());
        let disabled = loaded(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_SDK_DISABLED", "true"),
        ]);
        assert!(disabled.otlp.traces.is_none() && disabled.otlp.metrics.is_none());
    }

    #[test]
    fn headers_are_decoded_and_never_shown() {
        let text = "Authorization=Bearer%20hunter2, x-team = voice";
        let otlp = loaded(&[("OTEL_EXPORTER_OTLP_HEADERS", text)]).otlp;
        assert_eq!(otlp.headers[0].1.to_str().unwrap(), "Bearer hunter2");
        assert_eq!(otlp.headers[1].0, "x-team");
        assert!(!format!("{otlp:?}").contains("hunter2"), "{otlp:?}");
        for wrong in ["hunter2", "=hunter2", "a b=hunter2", "a=hunter2%0a"] {
            let sources = Sources::from_pairs([("OTEL_EXPORTER_OTLP_HEADERS", wrong)]);
            let faults = load(&sources).unwrap_err().to_string();
            assert!(faults.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{faults}");
            assert!(!faults.contains("hunter2"), "{faults}");
        }
    }

    #[test]
    fn a_sampler_is_one_of_the_standard_words() {
        let usual = loaded(&[]).otlp.sampler;
        assert!(usual.heeds_parent && usual.kind == SamplerKind::AlwaysOn);
        let tenth = loaded(&[
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.1"),
        ]);
        let tenth = tenth.otlp.sampler;
        assert!(!tenth.heeds_parent && tenth.kind == SamplerKind::Ratio);
        assert!((tenth.ratio - 0.1).abs() < 1e-9);
        for (name, wrong) in [
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_TRACES_SAMPLER_ARG", "2"),
            ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ] {
            assert!(
                load(&Sources::from_pairs([(name, wrong)])).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_grpc_port_is_warned_about_once() {
        let warnings = loaded(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")]).warnings;
        assert_eq!(warnings.iter().filter(|w| w.contains("gRPC")).count(), 1);
    }
}

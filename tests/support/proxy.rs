//! A TCP proxy that breaks when it is told to. It runs on a thread of its own, so that a test that
//! blocks does not stop it.

use std::cell::OnceCell;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt as _};
use quest_clm::lifecycle::Lifecycle;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::{PATIENCE, Port};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    /// Later by so much: to the server, to the client.
    Delay(Duration, Duration),
    Stall,
    Refuse,
    /// So many bytes this way, on each connection.
    Cut(Direction, usize),
}

/// What the proxy is told.
#[derive(Clone, Copy)]
struct Told {
    mode: Mode,
    /// Counts what it was told, so that it can say how far it has come.
    change: u64,
    /// Counts the resets. A connection ends when it moves.
    resets: u64,
}

/// What the proxy says.
#[derive(Clone, Copy, Default)]
struct State {
    change: u64,
    open: usize,
}

pub(crate) struct Proxy {
    addr: SocketAddr,
    told: Option<watch::Sender<Told>>,
    state: watch::Receiver<State>,
    /// Closed when the thread has ended.
    ended: std_mpsc::Receiver<()>,
}

impl Proxy {
    /// In front of this address, passing everything.
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let port = Port::reserve();
        let (told, mut hear) = watch::channel(Told {
            mode: Mode::Refuse,
            change: 0,
            resets: 0,
        });
        let (say, state) = watch::channel(State::default());
        let (alive, ended) = std_mpsc::sync_channel::<()>(1);
        let addr = port.addr();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(&port, target, &mut hear, &say));
            drop(alive);
        };
        Lifecycle::new().spawn_thread("proxy", work).unwrap();
        let proxy = Self {
            addr,
            told: Some(told),
            state,
            ended,
        };
        proxy.pass().await;
        proxy
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections are open.
    pub(crate) fn open(&self) -> usize {
        self.state.borrow().open
    }

    pub(crate) async fn pass(&self) {
        self.set(Mode::Pass).await;
    }

    /// Everything that comes from now on arrives later by so much.
    pub(crate) async fn delay(&self, to_server: Duration, to_client: Duration) {
        self.set(Mode::Delay(to_server, to_client)).await;
    }

    /// Connections stay open and are taken, and nothing arrives; what waits does when this ends.
    pub(crate) async fn stall(&self) {
        self.set(Mode::Stall).await;
    }

    /// Nobody listens. Open connections are not touched.
    pub(crate) async fn refuse(&self) {
        self.set(Mode::Refuse).await;
    }

    /// Each connection, open or new, passes so many bytes this way and is then closed.
    pub(crate) async fn cut_after(&self, direction: Direction, bytes: usize) {
        self.set(Mode::Cut(direction, bytes)).await;
    }

    /// Ends every open connection with an RST, on both sides.
    pub(crate) async fn reset(&self) {
        self.tell(|told| told.resets += 1).await;
    }

    async fn set(&self, mode: Mode) {
        self.tell(|told| told.mode = mode).await;
    }

    /// Tells it, and waits until it is so.
    async fn tell(&self, change: impl FnOnce(&mut Told)) {
        let told = self.told.as_ref().unwrap();
        told.send_modify(|told| {
            change(told);
            told.change += 1;
        });
        let wanted = told.borrow().change;
        let mut state = self.state.clone();
        let heard = state.wait_for(|state| state.change >= wanted);
        timeout(PATIENCE, heard).await.unwrap().unwrap();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.told.take());
        let _ = self.ended.recv();
    }
}

async fn serve(
    port: &Port,
    target: SocketAddr,
    told: &mut watch::Receiver<Told>,
    say: &watch::Sender<State>,
) {
    let mut open = FuturesUnordered::new();
    let mut listener = None;
    let mut resets = 0;
    loop {
        let now = *told.borrow_and_update();
        if now.mode == Mode::Refuse {
            listener = None;
        } else if listener.is_none() {
            listener = Some(TcpListener::bind(port.addr()).await.unwrap());
        }
        if now.resets != resets {
            resets = now.resets;
            // Each of them sees it too.
            while open.next().await.is_some() {}
        }
        say.send_replace(State {
            change: now.change,
            open: open.len(),
        });
        tokio::select! {
            changed = told.changed() => if changed.is_err() {
                return;
            },
            Some(Ok((client, _))) = accept(listener.as_ref()) => {
                open.push(carry(client, target, told.clone()));
            }
            Some(()) = open.next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    Some(listener?.accept().await)
}

/// One connection, until it ends or is reset.
async fn carry(client: TcpStream, target: SocketAddr, mut told: watch::Receiver<Told>) {
    let server = OnceCell::new();
    let resets = told.borrow().resets;
    let talk = talk(&client, &server, target, told.clone());
    tokio::select! {
        biased;
        _ = told.wait_for(|told| told.resets != resets) => {
            for stream in [Some(&client), server.get()].into_iter().flatten() {
                // Closing it is an RST then.
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
        // However it ends, both sides are closed now.
        _ = talk => {}
    }
}

async fn talk(
    client: &TcpStream,
    server: &OnceCell<TcpStream>,
    target: SocketAddr,
    mut told: watch::Receiver<Told>,
) -> io::Result<()> {
    flows(&mut told).await?;
    let stream = TcpStream::connect(target).await?;
    let server = server.get_or_init(|| stream);
    for stream in [client, server] {
        stream.set_nodelay(true)?;
    }
    tokio::try_join!(
        pump(client, server, Direction::ToServer, told.clone()),
        pump(server, client, Direction::ToClient, told),
    )?;
    Ok(())
}

/// Waits until nothing stalls.
async fn flows(told: &mut watch::Receiver<Told>) -> io::Result<Told> {
    let flows = told.wait_for(|told| told.mode != Mode::Stall).await;
    flows.map(|told| *told).map_err(io::Error::other)
}

/// One direction of a connection, in order, also where the delay changes on the way.
async fn pump(
    from: &TcpStream,
    to: &TcpStream,
    direction: Direction,
    mut told: watch::Receiver<Told>,
) -> io::Result<()> {
    // Small: a server whose words stall here should soon notice.
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(8);
    let hear = told.clone();
    let read = async move {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = read_some(from, &mut buffer).await?;
            let late = match (hear.borrow().mode, direction) {
                (Mode::Delay(late, _), Direction::ToServer)
                | (Mode::Delay(_, late), Direction::ToClient) => late,
                _ => Duration::ZERO,
            };
            let due = (Instant::now() + late, buffer[..length].to_vec());
            if queue.send(due).await.is_err() || length == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let write = async {
        let (mut change, mut passed) = (0, 0);
        while let Some((at, bytes)) = due.recv().await {
            sleep_until(at).await;
            let now = flows(&mut told).await?;
            if now.change != change {
                (change, passed) = (now.change, 0);
            }
            let left = match now.mode {
                Mode::Cut(there, limit) if there == direction => limit - passed,
                _ => usize::MAX,
            };
            write_all(to, &bytes[..bytes.len().min(left)]).await?;
            passed += bytes.len();
            if bytes.len() >= left {
                return Err(io::Error::other("cut"));
            }
        }
        SockRef::from(to).shutdown(Shutdown::Write)
    };
    tokio::try_join!(read, write)?;
    Ok(())
}

async fn read_some(from: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        from.readable().await?;
        match from.try_read(buffer) {
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            read => return read,
        }
    }
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

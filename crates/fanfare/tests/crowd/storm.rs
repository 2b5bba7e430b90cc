//! Storm: thousands of clients in another process, each of which checks all that it is told.
//!
//! Each test runs itself again in that process, where it is the clients.

use std::{
    env,
    net::SocketAddr,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use fanfare::Io;
use fanfare_testkit::{Client, eventually, within};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::{process::Command, sync::Barrier, task::JoinSet};

use crate::{
    house::House,
    order::{announce, lesson, user_count},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_lesson_two_thousand_clients_see_every_number_up_to_two_thousand() {
    match address() {
        Some(address) => Crowd::new(address, Steps::Single).rise_and_leave().await,
        None => {
            let name = "by_the_lesson_two_thousand_clients_see_every_number_up_to_two_thousand";
            let house = serve(lesson, name).await;
            assert_eq!(house.diary.ids().len(), CLIENTS);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_count_ends_on_two_thousand_and_on_one_thousand_when_half_are_cut() {
    match address() {
        Some(address) => Crowd::new(address, Steps::Any).rise_and_halve().await,
        None => {
            let name =
                "an_announced_count_ends_on_two_thousand_and_on_one_thousand_when_half_are_cut";
            let house = serve(announce, name).await;
            assert_eq!(house.diary.ids().len(), CLIENTS);
        }
    }
}

/// Where the server listens, in the clients' process.
fn address() -> Option<SocketAddr> {
    let address = env::var(ADDRESS).ok()?;
    Some(address.parse().expect("an address"))
}

/// Serves the clients, the test `name` in another process, until they have gone.
async fn serve(register: fn(&Io), name: &str) -> House {
    allow_open_files();
    let house = House::open().await;
    register(&house.io);
    let clients = Command::new(env::current_exe().expect("this test has a file"))
        .args([&format!("storm::{name}"), "--exact", "--nocapture"])
        .env(ADDRESS, house.address.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let ended = tokio::time::timeout(3 * fanfare_testkit::DEADLINE, clients).await;
    let output = ended.expect("in time").expect("it runs");
    let (out, err) = (output.stdout, output.stderr);
    let text = [out, err].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success(), "{}", text.concat());
    assert!(text[0].contains("1 passed"), "{}", text[0]);
    eventually("all have gone", || house.io.count().sockets == 0).await;
    house.shut().await;
    house
}

/// How a number may follow another while clients join.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Steps {
    Single,
    Any,
}

/// All clients, and what they know together.
struct Crowd {
    address: SocketAddr,
    steps: Steps,
    /// Clients that have asked to join.
    asking: AtomicU64,
    /// The highest number that any client was told.
    highest: AtomicU64,
    /// All wait here for all others: who left early would be missed by those told later.
    risen: Barrier,
    fallen: Barrier,
}

impl Crowd {
    fn new(address: SocketAddr, steps: Steps) -> Arc<Self> {
        allow_open_files();
        Arc::new(Self {
            address,
            steps,
            asking: AtomicU64::new(0),
            highest: AtomicU64::new(0),
            risen: Barrier::new(CLIENTS),
            fallen: Barrier::new(CLIENTS / 2),
        })
    }

    async fn rise_and_leave(self: Arc<Self>) {
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let crowd = self.clone();
            clients.spawn(async move { drop(crowd.rise().await) });
        }
        clients.join_all().await;
    }

    async fn rise_and_halve(self: Arc<Self>) {
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let crowd = self.clone();
            clients.spawn(async move {
                let client = crowd.rise().await;
                if number % 2 == 1 {
                    return client.reset();
                }
                crowd.fall(client).await;
            });
        }
        clients.join_all().await;
    }

    /// Joins, and is told of all the others.
    async fn rise(&self) -> Client {
        let mut client = Client::open(self.address).await;
        self.asking.fetch_add(1, Ordering::SeqCst);
        let mut last = self.highest.load(Ordering::SeqCst);
        client.join_nsp("/", "").await;
        // Higher than all that was told before this one asked, so it counts this one.
        let mut is_right: fn(u64, u64) -> bool = Self::is_above;
        while last < CLIENTS as u64 {
            let number = next_number(&mut client).await;
            assert!(is_right(last, number), "{number} follows {last}");
            assert!(number <= self.asking.load(Ordering::SeqCst), "{number}");
            self.highest.fetch_max(number, Ordering::SeqCst);
            last = number;
            is_right = match self.steps {
                Steps::Single => Self::is_next,
                Steps::Any => Self::is_not_below,
            };
        }
        within("all to have risen", self.risen.wait()).await;
        client
    }

    /// Is told of half of them leaving.
    async fn fall(&self, mut client: Client) {
        let (mut last, goal) = (CLIENTS as u64, CLIENTS as u64 / 2);
        while last != goal {
            let number = next_number(&mut client).await;
            assert!((goal..=last).contains(&number), "{number} follows {last}");
            last = number;
        }
        within("all to have fallen", self.fallen.wait()).await;
    }

    fn is_above(last: u64, number: u64) -> bool {
        last < number
    }

    fn is_next(last: u64, number: u64) -> bool {
        number == last + 1
    }

    fn is_not_below(last: u64, number: u64) -> bool {
        last <= number
    }
}

async fn next_number(client: &mut Client) -> u64 {
    let text = client.hear().await;
    user_count(&text).unwrap_or_else(|| panic!("{text} is no count"))
}

/// Each client takes one file, in either process.
fn allow_open_files() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a process knows its limits");
    let wanted = OPEN_FILES.min(hard).max(soft);
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).expect("a soft limit may be raised");
}

/// Tells a test that it is to be the clients, and where the server listens.
const ADDRESS: &str = "FANFARE_STORM_ADDRESS";
const CLIENTS: usize = 2_000;
/// Two storms at once, and the other tests beside them.
const OPEN_FILES: u64 = 10_000;

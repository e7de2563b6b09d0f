//! A Ray head and other nodes.

use std::ffi::OsString;
use std::net::{Ipv4Addr, TcpListener};

use crate::program::{Process, Program, words};

/// A head and a second node, on 127.0.0.2 and 127.0.0.3.
///
/// # Panics
///
/// Its functions panic when something cannot be started, with what it printed.
pub struct RayCluster {
    // The other node first: it would complain of a head that has gone.
    node: Option<Program>,
    head: Program,
    head_port: u16,
    client_port: u16,
    options: RayOptions,
}

/// What a [`RayCluster`] is like.
#[derive(Debug, Clone, Default)]
pub struct RayOptions {
    /// The token that whoever connects must have; none is asked for otherwise.
    pub token: Option<String>,
    /// How many CPUs each node says that it has, for Ray to run as many tasks there; two if not said. Ray
    /// keeps a process ready for each.
    pub cpus: Option<usize>,
}

/// Twice a large executable: one that does not fit is written to disk. Nodes take it from the shared memory of
/// the machine, as they fill it.
const STORE_BYTES: &str = "500000000";

const HEAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NODE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

impl RayCluster {
    /// A head and a second node.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(RayOptions::default())
    }

    /// The same with options.
    #[must_use]
    pub fn start_with(options: RayOptions) -> Self {
        let (head_port, client_port) = (free_port(), free_port());
        let mut arguments = words("start --head --include-dashboard false");
        arguments.extend(words(&format!("--port {head_port}")));
        arguments.extend(words(&format!("--ray-client-server-port {client_port}")));
        let head = start("the head", HEAD, arguments, &options);
        wait_until_started(&head);
        let mut cluster = Self {
            node: None,
            head,
            head_port,
            client_port,
            options,
        };
        cluster.add_node();
        cluster
    }

    /// Where clients from outside connect, as `ray://127.0.0.2:10001`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("ray://{HEAD}:{}", self.client_port)
    }

    /// The address by which nodes find each other, as `127.0.0.2:6379`. Programs can use it on a node only.
    #[must_use]
    pub fn inner_address(&self) -> String {
        format!("{HEAD}:{}", self.head_port)
    }

    /// The head. The process itself is `ray start`, which started the others.
    #[must_use]
    pub fn head(&self) -> &Program {
        &self.head
    }

    /// The second node.
    ///
    /// # Panics
    ///
    /// When it was removed.
    #[must_use]
    pub fn node(&self) -> &Program {
        self.node.as_ref().expect("the second node was removed")
    }

    /// Ends the second node as a power cut does, with all that runs there.
    pub fn remove_node(&mut self) {
        self.node = None;
    }

    /// Starts a second node, where there is none.
    pub fn add_node(&mut self) {
        let mut arguments = words("start --address");
        arguments.push(self.inner_address().into());
        let node = start("the second node", NODE, arguments, &self.options);
        wait_until_started(&node);
        self.node = Some(node);
    }

    /// All processes of the cluster that are there now.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let mut all = self.head.processes();
        all.extend(self.node.iter().flat_map(Program::processes));
        all
    }
}

fn start(name: &str, ip: Ipv4Addr, mut arguments: Vec<OsString>, options: &RayOptions) -> Program {
    let fixed = "--block --disable-usage-stats --min-worker-port 0 --max-worker-port 0";
    arguments.extend(words(fixed));
    arguments.extend(words(&format!(
        "--node-ip-address {ip} --object-store-memory {STORE_BYTES}"
    )));
    arguments.extend(words(&format!("--num-cpus {}", options.cpus.unwrap_or(2))));
    let mut environment = vec![
        // A node that has lost its head waits a minute for it otherwise.
        ("RAY_gcs_rpc_server_reconnect_timeout_s", "5"),
        // It takes a second, on a machine that does nothing else.
        ("RAY_raylet_start_wait_time_s", "80"),
        // Or now and then a head fails to start the process that a client needs, in a child that it has forked.
        ("GRPC_ENABLE_FORK_SUPPORT", "0"),
        // Its workers would be nicer than all else that runs on this machine.
        ("RAY_worker_niceness", "0"),
    ];
    if let Some(token) = &options.token {
        environment.push(("RAY_AUTH_MODE", "token"));
        environment.push(("RAY_AUTH_TOKEN", token));
    }
    // Ray makes the folder of its sockets where TMPDIR says.
    Program::start(name, crate::command("ray"), arguments, &environment)
}

fn wait_until_started(program: &Program) {
    program.wait_for(|line| line.contains("Ray runtime started").then_some(()));
}

/// A port that nobody uses. Somebody else could take it before Ray does, but the system goes round through
/// all of them before it gives out one again.
fn free_port() -> u16 {
    let listener = TcpListener::bind((HEAD, 0)).expect("127.0.0.2 is there");
    listener.local_addr().expect("it is bound").port()
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandResult, program, runFlotilla } from '../mesh.ts';
import { ACCESS_LOG_FORMAT, type AccessLogLine } from './access-log-line.ts';
import type { GatewayPlan, MeshPlan, WorkloadPlan } from './mesh-plan.ts';
import { type Host, Network } from './network.ts';

export const PROXY_UID = 1337;
export const APPLICATION_UID = 1000;
const STATUS_PORT = 15_021;
const READY_WITHIN_MS = 40_000;
const CONTROL_PLANE = 'spiffe://cluster.local/ns/istio-system/sa/istiod';

interface ControlPlaneLine {
  readonly xdsTls: string;
  readonly ca: string;
  readonly rootsFile: string;
}

/**
 * A mesh as a host with containers has it: a namespace per workload, capture by iptables, proxies as user 1337,
 * applications as another one that knows nothing of proxies, the control plane outside.
 */
export class NamespacedMesh {
  readonly network = new Network();
  readonly hosts = new Map<string, Host>();
  readonly #proxies = new Map<string, ChildProcess>();
  readonly directory: string;
  readonly #home: string;
  readonly #plan: MeshPlan;
  readonly #children: ChildProcess[] = [];
  #controlPlane: ChildProcess | null = null;
  readonly #startedMs = performance.now();
  seconds = 0;

  private constructor(plan: MeshPlan) {
    this.#plan = plan;
    this.directory = mkdtempSync(join(tmpdir(), 'flotilla-namespaces-'));
    chmodSync(this.directory, 0o755);
    this.#home = join(this.directory, 'home');
  }

  /** Resolves when every proxy is ready and every application was started. */
  static async start(plan: MeshPlan): Promise<NamespacedMesh> {
    const mesh = new NamespacedMesh(plan);
    try {
      await mesh.#start();
    } catch (error) {
      await mesh.stop();
      throw error;
    }
    return mesh;
  }

  host(name: string): Host {
    const host = this.hosts.get(name);
    if (host === undefined) throw new Error(`there is no ${name}`);
    return host;
  }

  proxy(name: string): ChildProcess {
    const proxy = this.#proxies.get(name);
    if (proxy === undefined) throw new Error(`${name} has no proxy`);
    return proxy;
  }

  get controlPlane(): ChildProcess {
    if (this.#controlPlane === null) throw new Error('there is no control plane');
    return this.#controlPlane;
  }

  /** Those of its processes that have ended, with how. */
  ended(): readonly string[] {
    return this.#children
      .filter(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
      .map(({ spawnargs, exitCode, signalCode }) => `${spawnargs.join(' ')}: ${exitCode ?? signalCode}`);
  }

  /** Runs a command in a workload's namespace, as its application would. */
  run(name: string, command: readonly string[], uid = APPLICATION_UID): Promise<CommandResult> {
    return this.network.run(this.host(name), command, { uid });
  }

  /** Runs a command of the command line against this mesh. */
  flotilla(...args: string[]): Promise<CommandResult> {
    return runFlotilla(args, { FLOTILLA_HOME: this.#home });
  }

  async apply(...files: string[]): Promise<void> {
    const result = await this.flotilla('apply', '--wait', ...files.flatMap((file) => ['-f', file]));
    if (result.code !== 0) throw new Error(`apply ${files.join(' ')} failed:\n${result.stderr}${result.stdout}`);
  }

  async applyText(yaml: string): Promise<void> {
    const file = join(this.directory, 'change.yaml');
    writeFileSync(file, yaml);
    await this.apply(file);
  }

  /** Prometheus text of a workload's proxy, asked for from outside. */
  async metrics(name: string): Promise<string> {
    return (await fetch(`http://${this.host(name).ipv4}:${STATUS_PORT}/stats/prometheus`)).text();
  }

  accessLog(name: string): AccessLogLine[] {
    const text = readFileSync(this.logFile(name, 'proxy.out'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as AccessLogLine); // In the format of ACCESS_LOG_FORMAT.
  }

  /** The lines that are there within a moment and match; proxies write their logs in batches. */
  async logged(name: string, matches: (line: AccessLogLine) => boolean, withinMs = 5_000): Promise<AccessLogLine[]> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const found = this.accessLog(name).filter(matches);
      if (found.length > 0 || performance.now() > deadline) return found;
      await delay(50);
    }
  }

  logFile(name: string, kind: string): string {
    return join(this.directory, `${name}.${kind}`);
  }

  /** Ends a process and waits for it. */
  async end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async stop(): Promise<void> {
    const children = this.#children.splice(0).reverse();
    await Promise.all(
      children.map(async (child) => {
        const kill = setTimeout(() => child.kill('SIGKILL'), 15_000);
        await this.end(child, 'SIGTERM');
        clearTimeout(kill);
      }),
    );
    this.network.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    const { workloads, gateway, names, config } = this.#plan;
    const { network, hosts } = this;
    for (const { name } of [...workloads, ...(gateway === undefined ? [] : [gateway])])
      hosts.set(name, network.add(name));
    network.setNames(names(network, hosts));
    const directory = join(this.directory, 'config');
    mkdirSync(directory);
    writeFileSync(join(directory, 'mesh.yaml'), config(network));
    const controlPlane = await this.#dialled(await this.#startControlPlane(directory));
    const proxied = workloads.filter(({ proxy }) => proxy !== 'none');
    await Promise.all([
      ...proxied.map(async (workload) => {
        const { name, serviceAccount, labels, namespace = 'default' } = workload;
        if (workload.interception !== 'none') await this.capture(name, workload.captureSettings ?? []);
        const token = await this.#token(name, namespace, serviceAccount, labelArguments(labels));
        this.#startProxy(name, workload, controlPlane, token);
      }),
      ...(gateway === undefined
        ? []
        : [
            this.#token(gateway.name, 'istio-system', 'istio-ingressgateway', [
              ...['--type', 'router'],
              ...labelArguments(GATEWAY_LABELS),
            ]).then((token) => this.#startGateway(gateway, controlPlane, token)),
          ]),
    ]);
    for (const workload of workloads) this.#startApplication(workload);
    await Promise.all([...this.#proxies.keys()].map((name) => this.#untilReady(name)));
    this.seconds = (performance.now() - this.#startedMs) / 1_000;
  }

  /** The control plane as proxies reach it. */
  async #dialled(line: ControlPlaneLine): Promise<ControlPlaneLine> {
    const { dialledBy } = this.#plan;
    if (dialledBy === undefined) return line;
    const ca = new URL(line.ca);
    return {
      ...line,
      xdsTls: await dialledBy(line.xdsTls, this.network),
      ca: `https://${await dialledBy(ca.host, this.network)}`,
    };
  }

  async #startControlPlane(directory: string): Promise<ControlPlaneLine> {
    const { meshConfig: fields = {}, directories = [] } = this.#plan;
    const meshConfig = join(this.directory, 'mesh-config.yaml');
    writeFileSync(
      meshConfig,
      JSON.stringify({
        accessLogFile: '/dev/stdout',
        accessLogEncoding: 'JSON',
        accessLogFormat: JSON.stringify(ACCESS_LOG_FORMAT),
        ...fields,
      }),
    );
    const { ipv4 } = this.network;
    const child = spawn(
      process.execPath,
      [
        ...[program, 'control-plane', '--mesh-config', meshConfig, '--log-format', 'json', '--log-level', 'warn'],
        ...[...directories, directory].flatMap((each) => ['-f', each]),
        ...['--xds', '127.0.0.1:0', '--api', '127.0.0.1:0', '--xds-tls', `${ipv4}:0`, '--ca', `${ipv4}:0`],
      ],
      {
        env: { ...process.env, FLOTILLA_HOME: this.#home },
        stdio: ['ignore', 'pipe', openSync(this.logFile('control-plane', 'err'), 'w')],
      },
    );
    this.#children.push(child);
    this.#controlPlane = child;
    const exited = once(child, 'exit').then(() => {
      throw new Error(`the control plane ended:\n${readFileSync(this.logFile('control-plane', 'err'), 'utf8')}`);
    });
    if (child.stdout === null) throw new Error('the command has no standard output');
    const [line] = (await Promise.race([once(createInterface(child.stdout), 'line'), exited])) as [string];
    exited.catch(() => undefined);
    // The command's own documented output.
    return JSON.parse(line) as ControlPlaneLine;
  }

  /** Turns capture on, or to other settings. */
  async capture(name: string, settings: readonly string[]): Promise<void> {
    const result = await this.run(name, [process.execPath, program, 'capture', ...settings], 0);
    if (result.code !== 0) throw new Error(`capture of ${name} failed:\n${result.stderr}`);
  }

  #startProxy(name: string, workload: WorkloadPlan, controlPlane: ControlPlaneLine, token: string): void {
    const { serviceAccount, labels, namespace = 'default', proxy = 'flotilla' } = workload;
    this.#startAgent(name, controlPlane, token, [
      ...['--type', 'sidecar', '--interception', workload.interception ?? 'redirect', '--namespace', namespace],
      ...(workload.agentSettings ?? []),
      ...['--service-account', serviceAccount, ...labelArguments(labels)],
      ...(workload.registeredFamily === 6 ? ['--ip', this.host(name).ipv6, '--ip', this.host(name).ipv4] : []),
      ...(typeof proxy === 'object' ? ['--envoy', proxy.envoy] : []),
    ]);
  }

  #startGateway({ name, port, agentSettings = [] }: GatewayPlan, controlPlane: ControlPlaneLine, token: string): void {
    this.#startAgent(name, controlPlane, token, [
      ...['--type', 'router', '--namespace', 'istio-system', '--service-account', 'istio-ingressgateway'],
      ...labelArguments(GATEWAY_LABELS),
      ...['--port', `name=http,port=${port},bind=${port}`, '--interception', 'none', ...agentSettings],
    ]);
  }

  #startAgent(name: string, controlPlane: ControlPlaneLine, token: string, args: readonly string[]): void {
    const child = this.network.spawn(
      this.host(name),
      [
        ...[process.execPath, program, 'agent', '--workload', name, ...args],
        ...['--discovery', controlPlane.xdsTls, '--discovery-identity', CONTROL_PLANE],
        ...['--ca', controlPlane.ca, '--ca-identity', CONTROL_PLANE, '--ca-roots', controlPlane.rootsFile],
        ...['--status-address', `0.0.0.0:${STATUS_PORT}`],
      ],
      { uid: PROXY_UID, env: { FLOTILLA_TOKEN: token }, stdio: this.#outputs(name, 'proxy', PROXY_UID) },
    );
    this.#children.push(child);
    this.#proxies.set(name, child);
  }

  #startApplication({ name, command, env = {} }: WorkloadPlan): void {
    if (command === undefined) return;
    const stdio = this.#outputs(name, 'application', APPLICATION_UID);
    this.#children.push(this.network.spawn(this.host(name), command, { uid: APPLICATION_UID, env, stdio }));
  }

  /** A token for one workload, which is described with it. */
  async #token(workload: string, namespace: string, account: string, description: readonly string[]): Promise<string> {
    const result = await this.flotilla(
      ...['token', 'create', '--workload', workload, '--namespace', namespace, '--service-account', account],
      // Something has to be said of it for it to be described.
      ...(description.length === 0 ? ['--type', 'sidecar'] : description),
    );
    if (result.code !== 0) throw new Error(`no token for ${workload}:\n${result.stderr}`);
    return result.stdout.trim();
  }

  async #untilReady(name: string): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    let said = '';
    for (;;) {
      try {
        const response = await fetch(`http://${this.host(name).ipv4}:${STATUS_PORT}/healthz/ready`);
        if (response.ok) return;
        said = await response.text();
      } catch (error) {
        said = String(error);
      }
      if (performance.now() > deadline) {
        throw new Error(`the proxy of ${name}: ${said}\n${readFileSync(this.logFile(name, 'proxy.err'), 'utf8')}`);
      }
      await delay(100);
    }
  }

  /** Files that the process may open again as /dev/stdout. */
  #outputs(name: string, kind: string, uid: number): ['ignore', number, number] {
    const files = ['out', 'err'].map((stream) => {
      const file = this.logFile(name, `${kind}.${stream}`);
      const descriptor = openSync(file, 'a');
      chownSync(file, uid, uid);
      return descriptor;
    });
    return ['ignore', files[0] ?? 1, files[1] ?? 2];
  }
}

const GATEWAY_LABELS = { app: 'istio-ingressgateway', istio: 'ingressgateway' };

function labelArguments(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
}

/**
 * How many requests a second one core of the proxy carries: wrk with 64 keep-alive connections on the other core, an
 * upstream there too. Prints requests/s and requests per second of the proxy's CPU time; the latter holds on a
 * machine that is shared. Linux with `taskset` and `wrk`.
 *
 *   node apps/proxy/bench/throughput.ts [--bytes 1024] [--seconds 5] [--rounds 3]
 */
import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { parseArgs, promisify } from 'node:util';

const run = promisify(execFile);
const ownPath = import.meta.filename;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bytes: { type: 'string', default: '1024' },
    seconds: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '3' },
    port: { type: 'string', default: '0' },
  },
});

switch (positionals[0]) {
  case 'upstream':
    serveUpstream(Number(values.bytes));
    break;
  case 'proxy':
    await serveProxy(Number(values.port));
    break;
  default:
    await measure();
}

/** Answers whatever comes, by counting the ends of heads: as little work as Node can do. */
function serveUpstream(bytes: number): void {
  const response = Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n${'x'.repeat(bytes)}`);
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      if (chunk.subarray(-4).toString('latin1') === '\r\n\r\n') socket.write(response);
    });
  });
  server.listen(0, '127.0.0.1', () => printPort(server.address()));
}

async function serveProxy(upstreamPort: number): Promise<void> {
  const [{ startProxy }, { decodeBootstrap }, { systemClock }, { silentLogger }] = await Promise.all([
    import('../src/stack.ts'),
    import('../src/bootstrap/decode.ts'),
    import('@flotilla/runtime'),
    import('@flotilla/observe'),
  ]);
  const decoded = await decodeBootstrap(JSON.stringify(bootstrapJson(upstreamPort)), 'bench');
  if (decoded.bootstrap === null) throw new Error(JSON.stringify(decoded.faults));
  const proxy = await startProxy({
    bootstrap: decoded.bootstrap,
    logger: silentLogger,
    clock: systemClock,
    random: Math.random,
  });
  await proxy.ready;
  const [listener] = proxy.listeners();
  console.log(listener?.port);
}

async function measure(): Promise<void> {
  const upstream = await startPinned(1, ['upstream', '--bytes', values.bytes]);
  const proxy = await startPinned(0, ['proxy', '--port', String(upstream.port)]);
  const url = `http://127.0.0.1:${proxy.port}/index.html`;
  const load = (seconds: number) => run('taskset', ['-c', '1', 'wrk', '-t1', '-c64', `-d${seconds}s`, url]);
  try {
    await load(3);
    for (let round = 0; round < Number(values.rounds); round++) {
      const before = cpuSeconds(proxy.pid);
      const { stdout } = await load(Number(values.seconds));
      const used = cpuSeconds(proxy.pid) - before;
      const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
      const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? '?';
      const faults = /Non-2xx[^\n]*|Socket errors[^\n]*/.exec(stdout)?.[0] ?? '';
      console.log(`${rate} requests/s, ${Math.round(requests / used)} per CPU second ${faults}`);
    }
  } finally {
    proxy.stop();
    upstream.stop();
  }
}

async function startPinned(core: number, args: readonly string[]) {
  const child = spawn('taskset', ['-c', String(core), process.execPath, ownPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    child.once('exit', () => reject(new Error(`${args[0]} ended before it was ready`)));
  });
  return { port, pid: child.pid ?? 0, stop: () => child.kill() };
}

/** User and system time of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function printPort(address: unknown): void {
  if (typeof address === 'object' && address !== null && 'port' in address) console.log(address.port);
}

function bootstrapJson(upstreamPort: number): object {
  const socketAddress = (portValue: number) => ({ socketAddress: { address: '127.0.0.1', portValue } });
  const type = (name: string) => ({ '@type': `type.googleapis.com/envoy.extensions.filters.${name}` });
  const manager = {
    ...type('network.http_connection_manager.v3.HttpConnectionManager'),
    statPrefix: 'bench',
    httpFilters: [{ name: 'router', typedConfig: type('http.router.v3.Router') }],
    routeConfig: {
      virtualHosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'up' } }] }],
    },
  };
  const endpoint = { endpoint: { address: socketAddress(upstreamPort) } };
  return {
    staticResources: {
      listeners: [
        {
          name: 'bench',
          address: socketAddress(0),
          filterChains: [{ filters: [{ name: 'http', typedConfig: manager }] }],
        },
      ],
      clusters: [
        {
          name: 'up',
          connectTimeout: '1s',
          loadAssignment: { clusterName: 'up', endpoints: [{ lbEndpoints: [endpoint] }] },
        },
      ],
    },
  };
}

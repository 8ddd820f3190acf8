import type { Logger } from '@flotilla/observe';
import type { SocketAddress, Watchdog } from '@flotilla/runtime';
import { answersHttp } from '@flotilla/sockets/http';
import type { MeshProcesses } from './mesh-processes.ts';

/** Until the watchdog's next try. */
const ANSWER_WITHIN_MS = 3_000;
const LOOPBACK = '127.0.0.1';

/**
 * Has the control plane and every proxy watched by its own HTTP port: one that lives but does not answer there is killed
 * and so started again. Applications say of no page that it is theirs to answer, and are left alone.
 */
export function watchProcesses(processes: MeshProcesses, watchdog: Watchdog, api: string, logger: Logger): void {
  const { hostname, port } = new URL(api);
  watch('control-plane', { host: hostname, port: Number(port) }, '/healthz');
  for (const { entry, adminPort } of processes.plan.proxies) {
    watch(`${entry.name}/proxy`, { host: LOOPBACK, port: adminPort }, '/ready');
  }

  function watch(name: string, address: SocketAddress, path: string): void {
    const supervised = processes.all.get(name);
    if (supervised === undefined) return;
    watchdog.watch({
      name,
      run: () => supervised.pid,
      hasStarted: true,
      answers: () => answersHttp(address, path, ANSWER_WITHIN_MS),
      onSilent(silentMs) {
        const seconds = Math.round(silentMs / 1_000);
        logger.error(`${name} lives but has not answered for ${seconds} s: killing it, to start it again`, {
          pid: supervised.pid,
        });
        supervised.kill();
      },
    });
  }
}

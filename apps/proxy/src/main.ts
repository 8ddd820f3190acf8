import { FlotillaError, holdYoungGeneration } from '@flotilla/runtime';
import { exitCodeOf, untilSignal } from '@flotilla/service/process';
import { readSettings } from '@flotilla/service/settings';
import { ownStandardStreams, printMessage } from '@flotilla/sockets/standard-streams';
import { staticSettings } from './process/static-settings.ts';

/*
 * The data plane as a program of its own: from a bootstrap file when one is named, and otherwise as the proxy of a mesh
 * workload with its identity. Each loads only what it needs.
 */
async function main(argv: readonly string[]): Promise<number> {
  const long = argv.map((argument) => (argument === '-c' ? '--config-path' : argument));
  const isStatic = long.some((argument) => /^--config-path(?:=|$)/.test(argument));
  if (!isStatic && process.env['FLOTILLA_CONFIG_PATH'] === undefined) {
    return (await import('./agent/run-agent.ts')).runAgent(argv);
  }
  const { drainTime, ...values } = readSettings(staticSettings, long, process.env);
  return (await import('./process/run-proxy.ts')).runProxy({ ...values, drainMs: drainTime, until: untilSignal() });
}

ownStandardStreams();
try {
  holdYoungGeneration();
  process.exit(await main(process.argv.slice(2)));
} catch (thrown) {
  printMessage(`proxy: ${FlotillaError.from(thrown).describe()}`);
  process.exit(exitCodeOf(thrown));
}

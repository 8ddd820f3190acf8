import { settingsHelp } from '@flotilla/service/settings';
import { runCapture } from './run-capture.ts';
import { captureSettings, readCaptureSettings } from './settings.ts';

/** `flotilla capture` and `capture.mjs`: the same flags, the same environment. Throws `usage` or `system`. */
export async function captureMain(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h')) {
    const summary = "turns this network namespace's TCP connections to the proxy in it";
    process.stdout.write(settingsHelp('capture', summary, captureSettings));
    return;
  }
  await runCapture(readCaptureSettings(argv, env), process.stdout);
}

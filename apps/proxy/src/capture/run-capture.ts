import { FlotillaError } from '@flotilla/runtime';
import { ExitCode, exitCodeOf } from '@flotilla/service/process';
import { settingsHelp } from '@flotilla/service/settings';
import { printLine, printMessage, standardOutput } from '@flotilla/sockets/standard-streams';
import { describePlan, openHost, planCapture, runPlan } from './capture.ts';
import { runProgram } from './program.ts';
import { captureSettings, readCaptureSettings } from './settings.ts';

/**
 * Turns capture on or off in the network namespace of this process, as the program. Resolves with the exit code: 0 when
 * done, 1 when the system refused and nothing was changed, 2 for wrong settings.
 */
export async function runCapture(argv: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  if (argv.includes('--help') || argv.includes('-h')) {
    const summary = "turns this network namespace's TCP connections to the proxy in it";
    standardOutput().write(settingsHelp('capture', summary, captureSettings));
    return ExitCode.done;
  }
  try {
    const settings = readCaptureSettings(argv, env);
    const { print, clean } = settings;
    const plan = await planCapture(clean ? null : settings, openHost(runProgram));
    if (print) {
      standardOutput().write(describePlan(plan));
      return ExitCode.done;
    }
    await runPlan(plan, runProgram);
    for (const note of plan.notes) printLine(note);
    printLine(clean ? 'capture is off' : 'capture is on');
    return ExitCode.done;
  } catch (thrown) {
    printMessage(`capture: ${FlotillaError.from(thrown).describe()}`);
    return exitCodeOf(thrown);
  }
}

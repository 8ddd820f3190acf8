import { describePlan, openHost, planCapture, runPlan } from './capture.ts';
import { runProgram } from './program.ts';
import type { CaptureSettings } from './settings.ts';

/** Turns capture on or off in the network namespace of this process. Throws `system`, with nothing changed. */
export async function runCapture(settings: CaptureSettings, output: NodeJS.WritableStream): Promise<void> {
  const { print, clean } = settings;
  const plan = await planCapture(clean ? null : settings, openHost(runProgram));
  if (print) {
    output.write(describePlan(plan));
    return;
  }
  await runPlan(plan, runProgram);
  for (const note of plan.notes) output.write(`${note}\n`);
  output.write(clean ? 'capture is off\n' : 'capture is on\n');
}

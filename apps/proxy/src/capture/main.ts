import { FlotillaError } from '@flotilla/runtime';
import { exitCodeOf } from '@flotilla/service/process';
import { captureMain } from './capture-main.ts';

// Capture as a program of its own, for an image that holds nothing else.

try {
  await captureMain(process.argv.slice(2), process.env);
} catch (error) {
  const failure = FlotillaError.from(error);
  console.error(`capture: ${failure.describe()}`);
  process.exitCode = exitCodeOf(failure);
}

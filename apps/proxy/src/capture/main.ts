import { runCapture } from './run-capture.ts';

// Capture as a program of its own, for an image that holds nothing else.
process.exitCode = await runCapture(process.argv.slice(2));

export { runCapture } from './run-capture.ts';

export { DockerDaemon } from './daemon.ts';
export { importMachineImage, type MachineImage } from './machine-image.ts';
export { run, runOrThrow, type Ran, type RunOptions } from './run.ts';

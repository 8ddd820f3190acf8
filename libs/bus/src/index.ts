export type { VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';
export { createInProcessBus } from './in-process.ts';

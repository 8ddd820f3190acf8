export type { VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';
export { createInProcessBus } from './in-process.ts';
export type { Membership } from './membership.ts';
export { createInProcessMembership } from './in-process-membership.ts';

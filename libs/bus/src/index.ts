export type { GapListener, VersionAnnouncement, VersionBus, VersionListener } from './version-bus.ts';
export { createInProcessBus, type InProcessBus } from './in-process.ts';
export { createRedisBus, type RedisBusOptions } from './redis.ts';
export type { Membership } from './membership.ts';
export { createInProcessMembership } from './in-process-membership.ts';
export { createRedisMembership, DEFAULT_TIME_TO_LIVE_MS, type RedisMembershipOptions } from './redis-membership.ts';
export { Subscriptions } from './subscriptions.ts';

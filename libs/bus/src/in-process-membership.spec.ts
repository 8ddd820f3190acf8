import { createInProcessMembership } from './in-process-membership.ts';
import type { Membership } from './membership.ts';
import { membershipSuite } from './membership.suite.ts';

const rooms = new WeakMap<Membership, Set<string>>();

membershipSuite(
  async () => {
    const present = new Set<string>();
    const membership = createInProcessMembership(present);
    rooms.set(membership, present);
    return membership;
  },
  async (membership) => createInProcessMembership(rooms.get(membership)),
);

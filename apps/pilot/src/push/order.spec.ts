import { expect, test } from 'vitest';
import type { XdsShortName } from '@flotilla/xds';
import { nextSend, type Pending } from './order.ts';

const idle: Pending = {
  isDirty: false,
  isRequested: false,
  isAwaiting: false,
  isOverdue: false,
  hasHeldRemovals: false,
};
const dirty = { isDirty: true };
const requested = { isRequested: true };
const awaiting = { isAwaiting: true };

type States = Partial<Record<XdsShortName, Partial<Pending>>>;

test.each<[string, States, string | null]>([
  ['clusters before everything', { CDS: dirty, EDS: dirty, LDS: dirty, RDS: dirty }, 'update CDS'],
  ['endpoints while clusters are being taken', { CDS: awaiting, EDS: dirty, LDS: dirty, RDS: dirty }, 'update EDS'],
  ['listeners not before clusters are taken', { CDS: awaiting, LDS: dirty, RDS: dirty }, null],
  ['listeners before routes', { CDS: idle, LDS: dirty, RDS: dirty }, 'update LDS'],
  ['routes not before listeners are taken', { LDS: awaiting, RDS: dirty }, null],
  ['routes that a new listener waits for', { LDS: awaiting, RDS: requested }, 'update RDS'],
  ['but not before their clusters', { CDS: awaiting, LDS: awaiting, RDS: requested }, null],
  ['one response of a type at a time', { CDS: { ...dirty, ...awaiting } }, null],
  [
    'no longer waiting for an answer that does not come',
    { CDS: { ...awaiting, isOverdue: true }, LDS: dirty },
    'update LDS',
  ],
  ['removals when nothing refers any more', { CDS: { hasHeldRemovals: true }, LDS: idle, RDS: idle }, 'removal CDS'],
  ['removals not before routes are taken', { CDS: { hasHeldRemovals: true }, RDS: awaiting }, null],
  ['removals not while clusters are being taken', { CDS: { ...awaiting, hasHeldRemovals: true } }, null],
  ['nothing', { CDS: idle, RDS: idle }, null],
])('%s', (_name, states, expected) => {
  const pending = new Map(
    // The keys are the type names of the row.
    Object.entries(states).map(([type, state]) => [type as XdsShortName, { ...idle, ...state }]),
  );
  const send = nextSend(pending);
  expect(send === null ? null : `${send.phase} ${send.type}`).toBe(expected);
});

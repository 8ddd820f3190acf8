import { seededRandom } from '@flotilla/runtime';

/** Kinds of faults, each of which is a file in faults/. */
export const FAULT_KINDS = [
  'kill',
  'restart',
  'stop',
  'black-hole',
  'full-disk',
  'instance',
  'bad-configuration',
  'token-abuse',
  'connection-storm',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** What there is to choose from, by name. */
export interface Roster {
  /** Parts of the control plane. */
  readonly control: readonly string[];
  /** Workloads of which there is another instance. */
  readonly instances: readonly string[];
  readonly disks: readonly string[];
  /** Where connections are taken: control plane and sidecars. */
  readonly listeners: readonly string[];
}

/** One fault of a plan: plain data, the same for the same seed. */
export interface Step {
  readonly number: number;
  readonly kind: FaultKind;
  readonly targets: readonly string[];
  /** When it begins, from the start of the load. */
  readonly atMs: number;
  /** How long it lasts. */
  readonly forMs: number;
  /** Below 1: what else a fault has to choose. */
  readonly chance: number;
}

interface Shape {
  readonly from: keyof Roster | null;
  readonly atMost: number;
  readonly forMs: readonly [number, number];
}

const SHAPES: Readonly<Record<FaultKind, Shape>> = {
  kill: { from: 'control', atMost: 3, forMs: [300, 6_000] },
  restart: { from: 'control', atMost: 5, forMs: [0, 0] },
  stop: { from: 'control', atMost: 2, forMs: [1_000, 12_000] },
  'black-hole': { from: 'control', atMost: 2, forMs: [1_000, 12_000] },
  'full-disk': { from: 'disks', atMost: 2, forMs: [2_000, 8_000] },
  instance: { from: 'instances', atMost: 1, forMs: [500, 3_000] },
  'bad-configuration': { from: null, atMost: 0, forMs: [2_000, 6_000] },
  'token-abuse': { from: null, atMost: 0, forMs: [0, 0] },
  'connection-storm': { from: 'listeners', atMost: 1, forMs: [2_000, 6_000] },
};

const GAP_MS: readonly [number, number] = [1_500, 5_000];
/** How long a target is left alone when its fault is over. */
const REST_MS = 4_000;
/** One instance is down at a time: it has this long to come back before the next. */
const INSTANCE_REST_MS = 12_000;
/** No fault begins or ends in the last of it. */
export const QUIET_END_MS = 15_000;

/**
 * Faults for so long, drawn by the seed alone. Kinds come equally often; faults overlap, but no target has two at once, and
 * one instance of the workloads is down at a time.
 */
export function makePlan(seed: number, durationMs: number, roster: Roster): readonly Step[] {
  const random = seededRandom(seed);
  const between = ([from, to]: readonly [number, number]) => Math.round(from + random() * (to - from));
  const draw = <T>(from: T[]): T[] => from.splice(Math.floor(random() * from.length), 1);
  const busyUntilMs = new Map<string, number>();
  let bag: FaultKind[] = [];
  const steps: Step[] = [];
  for (let atMs = between(GAP_MS); ; atMs += between(GAP_MS)) {
    if (bag.length === 0) bag = [...FAULT_KINDS];
    const [kind = 'kill'] = draw(bag);
    const { from, atMost, forMs: lasting } = SHAPES[kind];
    const forMs = between(lasting);
    const chance = random();
    if (atMs + forMs > durationMs - QUIET_END_MS) return steps;
    const free = (from === null ? [] : roster[from]).filter((name) => (busyUntilMs.get(name) ?? 0) <= atMs);
    const wanted = 1 + Math.floor(random() * atMost);
    const targets = Array.from({ length: Math.min(wanted, free.length, atMost) }, () => draw(free)).flat();
    if (from !== null && targets.length === 0) continue;
    const busy = kind === 'instance' ? roster.instances : targets;
    const restMs = kind === 'instance' ? INSTANCE_REST_MS : REST_MS;
    for (const name of busy) busyUntilMs.set(name, atMs + forMs + restMs);
    steps.push({ number: steps.length + 1, kind, targets, atMs, forMs, chance });
  }
}

/** A line for each fault. */
export function formatPlan(steps: readonly Step[]): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
  return steps
    .map(({ number, kind, targets, atMs, forMs }) =>
      [`#${number}`, `at ${seconds(atMs)}`, `for ${seconds(forMs)}`, kind, ...targets].join('  '),
    )
    .join('\n');
}

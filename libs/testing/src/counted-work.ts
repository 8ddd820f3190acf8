import { Session, type Profiler } from 'node:inspector';

/**
 * How much JavaScript ran: every execution of every block of code (V8's block coverage), and for the searches and moves
 * of arrays and texts that V8 does by itself, the length that they go over. A count, and no time: the same on every
 * machine, whatever else it does.
 */
export async function countWork(work: () => unknown): Promise<number> {
  const session = new Session();
  session.connect();
  const natives = countNatives();
  try {
    post(session, 'Profiler.enable');
    post(session, 'Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    post(session, 'Profiler.takePreciseCoverage');
    natives.reset();
    await work();
    const before = natives.count();
    const { result } = post(session, 'Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType;
    const blocks = result.flatMap(({ functions }) => functions.flatMap(({ ranges }) => ranges));
    return before + blocks.reduce((sum, { count }) => sum + count, 0);
  } finally {
    natives.restore();
    post(session, 'Profiler.stopPreciseCoverage');
    session.disconnect();
  }
}

/**
 * How much more work twice the input is: 2 when it is linear, 4 when it is quadratic. `workOf` prepares an input of a size
 * and returns what is counted; it is run once before, since V8 does not count all of what it runs for the first time.
 */
export async function growthOf(size: number, workOf: (size: number) => () => unknown): Promise<number> {
  await countWork(workOf(size));
  const smaller = await countWork(workOf(size));
  const larger = await countWork(workOf(size * 2));
  return larger / smaller;
}

/** The session lives in this thread, so that its answers are there when `post` returns. */
function post(session: Session, method: string, parameters: object = {}): unknown {
  let answer: unknown;
  session.post(method, parameters, (error, result: unknown) => {
    if (error !== null) throw new Error(`${method}: ${error.message}`);
    answer = result;
  });
  return answer;
}

type Sized = { readonly length: number };
/** What one call went over, from what it was called on, what it was given, and what it returned. */
type Cost = (self: Sized, given: readonly unknown[], result: unknown) => number;

const whole: Cost = ({ length }) => length;
const made: Cost = (_self, _given, result) => (result as Sized).length;
const untilFound: Cost = ({ length }, [, from = 0], result) =>
  Math.max(0, (typeof result === 'number' && result >= 0 ? result : length) - Number(from));

const NATIVES: readonly [prototype: object, costs: Readonly<Record<string, Cost>>][] = [
  [
    Array.prototype,
    {
      includes: whole,
      indexOf: untilFound,
      lastIndexOf: whole,
      unshift: whole,
      shift: whole,
      splice: whole,
      slice: made,
      concat: made,
      join: whole,
    },
  ],
  [String.prototype, { indexOf: untilFound, split: whole, replaceAll: whole }],
];

function countNatives(): { reset(): void; count(): number; restore(): void } {
  let total = 0;
  const restores: (() => void)[] = [];
  for (const [prototype, costs] of NATIVES) {
    const methods = prototype as Record<string, (...given: unknown[]) => unknown>; // Their names are above.
    for (const [name, cost] of Object.entries(costs)) {
      const native = methods[name];
      if (native === undefined) continue;
      methods[name] = function (this: Sized, ...given) {
        const result = native.apply(this, given);
        total += cost(this, given, result);
        return result;
      };
      restores.push(() => void (methods[name] = native));
    }
  }
  return {
    reset: () => void (total = 0),
    count: () => total,
    restore: () => restores.forEach((restore) => restore()),
  };
}

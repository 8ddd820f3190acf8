import { FlotillaError } from '@flotilla/runtime';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

type Part = (time: Date) => string;

/** strftime conversions in UTC. */
const CONVERSIONS: Readonly<Record<string, Part>> = {
  Y: (time) => String(time.getUTCFullYear()).padStart(4, '0'),
  y: (time) => pad(time.getUTCFullYear() % 100, 2),
  m: (time) => pad(time.getUTCMonth() + 1, 2),
  d: (time) => pad(time.getUTCDate(), 2),
  e: (time) => String(time.getUTCDate()).padStart(2, ' '),
  H: (time) => pad(time.getUTCHours(), 2),
  I: (time) => pad(time.getUTCHours() % 12 || 12, 2),
  M: (time) => pad(time.getUTCMinutes(), 2),
  S: (time) => pad(time.getUTCSeconds(), 2),
  p: (time) => (time.getUTCHours() < 12 ? 'AM' : 'PM'),
  a: (time) => (DAYS[time.getUTCDay()] ?? '').slice(0, 3),
  A: (time) => DAYS[time.getUTCDay()] ?? '',
  b: (time) => (MONTHS[time.getUTCMonth()] ?? '').slice(0, 3),
  h: (time) => (MONTHS[time.getUTCMonth()] ?? '').slice(0, 3),
  B: (time) => MONTHS[time.getUTCMonth()] ?? '',
  j: (time) => pad(Math.floor((time.getTime() - Date.UTC(time.getUTCFullYear(), 0, 1)) / 86_400_000) + 1, 3),
  u: (time) => String(time.getUTCDay() || 7),
  w: (time) => String(time.getUTCDay()),
  F: (time) => time.toISOString().slice(0, 10),
  T: (time) => time.toISOString().slice(11, 19),
  R: (time) => time.toISOString().slice(11, 16),
  D: (time) => `${pad(time.getUTCMonth() + 1, 2)}/${pad(time.getUTCDate(), 2)}/${pad(time.getUTCFullYear() % 100, 2)}`,
  s: (time) => String(Math.floor(time.getTime() / 1_000)),
  f: (time) => pad(time.getUTCMilliseconds(), 3).padEnd(9, '0'),
  z: () => '+0000',
  Z: () => 'UTC',
  Ez: () => '+00:00',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};

/**
 * Compiles a strftime format, with Envoy's `%3f` (first digits of the second's fraction, 1 to 9) and `%E3S`
 * (seconds with a fraction). The printer takes milliseconds since the epoch and writes UTC. Throws `invalid`
 * for a conversion that is not known.
 */
export function compileTimeFormat(format: string): (timeMs: number) => string {
  const parts: (string | Part)[] = [];
  const pattern = /%(E\*S|E[1-9]S|Ez|[1-9]f|[^E1-9])|([^%]+)/gy;
  let end = 0;
  for (let match = pattern.exec(format); match !== null; match = pattern.exec(format)) {
    end = pattern.lastIndex;
    parts.push(match[2] ?? conversion(match[1] ?? ''));
  }
  if (end !== format.length) throw unknownConversion(format.slice(end, end + 2));
  return (timeMs) => {
    const time = new Date(timeMs);
    let text = '';
    for (const part of parts) text += typeof part === 'string' ? part : part(time);
    return text;
  };
}

function conversion(name: string): Part {
  const fraction = /^([1-9])f$/.exec(name)?.[1];
  if (fraction !== undefined) return (time) => fractionDigits(time, Number(fraction));
  const seconds = /^E([1-9*])S$/.exec(name)?.[1];
  if (seconds !== undefined) {
    const digits = seconds === '*' ? 3 : Number(seconds);
    return (time) => `${pad(time.getUTCSeconds(), 2)}.${fractionDigits(time, digits)}`;
  }
  const known = Object.hasOwn(CONVERSIONS, name) ? CONVERSIONS[name] : undefined;
  if (known === undefined) throw unknownConversion(`%${name}`);
  return known;
}

function fractionDigits(time: Date, digits: number): string {
  return pad(time.getUTCMilliseconds(), 3).padEnd(9, '0').slice(0, digits);
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

function unknownConversion(text: string): FlotillaError {
  return new FlotillaError('invalid', `"${text}" is not a time conversion`);
}

import { FlotillaError } from '@flotilla/runtime';
import * as settings from '@flotilla/service/settings';
import { isIP, isIPv4 } from 'node:net';

/** A range of addresses, such as `10.0.0.0/8` or `fd00::/8`. */
export interface Range {
  readonly text: string;
  readonly family: 4 | 6;
}

const MAX_ID = 4_294_967_294;

const id = (description: string) => settings.integer({ description, standard: '1337', min: 0, max: MAX_ID });
const port = (description: string, standard: string) =>
  settings.integer({ description, standard, min: 1, max: 65_535 });

/** Several values, separated by commas or given by several flags. */
function several<T>(form: string, description: string, parse: (text: string) => T): settings.Setting<readonly T[]> {
  return {
    description,
    form,
    standard: null,
    whenAbsent: { value: [] },
    isList: true,
    parse(texts) {
      const words = texts.flatMap((text) => text.split(',')).map((word) => word.trim());
      const faults: string[] = [];
      const values = words
        .filter((word) => word !== '')
        .flatMap((word) => {
          try {
            return [parse(word)];
          } catch (error) {
            faults.push(FlotillaError.from(error).message);
            return [];
          }
        });
      if (faults.length > 0) throw new FlotillaError('invalid', faults.join('; '));
      return values;
    },
  };
}

/** The same, or `*` for all. */
function allOr<T>(setting: settings.Setting<readonly T[]>): settings.Setting<'*' | readonly T[]> {
  return {
    ...setting,
    standard: '*',
    parse(texts, reading) {
      const words = texts.flatMap((text) => text.split(',')).map((word) => word.trim());
      if (!words.includes('*')) return setting.parse(texts, reading);
      if (words.length === 1) return '*';
      throw new FlotillaError('invalid', '"*" means all, so nothing can stand beside it');
    },
  };
}

const ports = (description: string) => several('port,…', description, parsePort);
const ranges = (description: string) => several('range,…', description, parseRange);

/** Which traffic of a network namespace goes through the proxy. */
export const captureSettings = {
  print: settings.flag({ description: 'show what would be run, and change nothing' }),
  clean: settings.flag({ description: 'remove everything that capture put there' }),
  proxyUid: id('user whose connections are left alone: the proxy'),
  proxyGid: id('group whose connections are left alone'),
  outboundPort: port("the proxy's port for outbound connections", '15001'),
  inboundPort: port("the proxy's port for inbound connections", '15006'),
  inboundPorts: allOr(ports('inbound ports to capture; * is all but 22')),
  excludeInboundPorts: ports('inbound ports not to capture'),
  outboundRanges: allOr(ranges('destinations to capture; * is all')),
  excludeOutboundRanges: ranges('destinations not to capture'),
  outboundPorts: ports('outbound ports to capture whatever their destination, unless that is excluded'),
  excludeOutboundPorts: ports('outbound ports not to capture'),
  ipv6: settings.oneOf(['auto', 'on', 'off'], {
    description: 'capture IPv6 too; auto: where the host has it and its firewall can',
    standard: 'auto',
  }),
};

export type CaptureSettings = settings.SettingsOf<typeof captureSettings>;

/** Reads flags and environment. Throws one `usage` that names every fault. */
export function readCaptureSettings(argv: readonly string[], env: NodeJS.ProcessEnv): CaptureSettings {
  const read = settings.readSettings(captureSettings, argv, env);
  if (read.inboundPort === read.outboundPort) {
    throw new FlotillaError(
      'usage',
      `--inbound-port and --outbound-port are both ${read.inboundPort}: the proxy tells directions apart by them`,
    );
  }
  return read;
}

function parsePort(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number > 0 && number <= 65_535) return number;
  throw new FlotillaError('invalid', `"${text}" is not a port (1 to 65535)`);
}

function parseRange(text: string): Range {
  const [address = '', length, ...rest] = text.split('/');
  const family = isIPv4(address) ? 4 : 6;
  const longest = family === 4 ? 32 : 128;
  const isLength = length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= longest);
  if (isIP(address) === 0 || rest.length > 0 || !isLength) {
    throw new FlotillaError('invalid', `"${text}" is not a range, such as 10.0.0.0/8 or fd00::/8`);
  }
  return { text: `${address}/${length === undefined ? longest : Number(length)}`, family };
}

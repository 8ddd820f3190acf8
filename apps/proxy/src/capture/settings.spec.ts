import { describe, expect, it } from 'vitest';
import { readCaptureSettings } from './settings.ts';

const read = (argv: readonly string[], env: NodeJS.ProcessEnv = {}) => readCaptureSettings(argv, env);

describe('settings of capture', () => {
  it('capture everything for user and group 1337 by default', () => {
    expect(read([])).toEqual({
      print: false,
      clean: false,
      proxyUid: 1337,
      proxyGid: 1337,
      outboundPort: 15_001,
      inboundPort: 15_006,
      inboundPorts: '*',
      excludeInboundPorts: [],
      outboundRanges: '*',
      excludeOutboundRanges: [],
      outboundPorts: [],
      excludeOutboundPorts: [],
      ipv6: 'auto',
    });
  });

  it('take lists by commas and by several flags, and ranges of both families', () => {
    expect(
      read(
        ['--inbound-ports', '80,443', '--inbound-ports', '8080', '--outbound-ranges', '10.0.0.0/8,fd00::/8,1.2.3.4'],
        {
          FLOTILLA_EXCLUDE_OUTBOUND_PORTS: '6379, 5432',
        },
      ),
    ).toMatchObject({
      inboundPorts: [80, 443, 8080],
      outboundRanges: [
        { text: '10.0.0.0/8', family: 4 },
        { text: 'fd00::/8', family: 6 },
        { text: '1.2.3.4/32', family: 4 },
      ],
      excludeOutboundPorts: [6379, 5432],
    });
  });

  it('capture nothing inbound when the list is empty', () => {
    expect(read(['--inbound-ports', '']).inboundPorts).toEqual([]);
  });

  it.each([
    ['a port out of range', ['--inbound-ports', '80,70000'], '--inbound-ports: "70000" is not a port (1 to 65535)'],
    ['a name in place of a port', ['--exclude-outbound-ports', 'ssh'], '"ssh" is not a port'],
    ['a prefix that is too long', ['--outbound-ranges', '10.0.0.0/33'], '"10.0.0.0/33" is not a range'],
    ['a name in place of a range', ['--exclude-outbound-ranges', 'reviews'], '"reviews" is not a range'],
    ['a star in company', ['--outbound-ranges', '*,10.0.0.0/8'], '"*" means all'],
    ['no such mode', ['--ipv6', 'maybe'], '"maybe" is none of auto, on, off'],
    ['one port for both directions', ['--inbound-port', '15001'], 'are both 15001'],
  ])('are refused with %s', (_, argv, message) => {
    expect(() => read(argv)).toThrow(message);
  });

  it('are refused with all faults at once', () => {
    const argv = ['--inbound-ports', '0,x', '--outbound-ranges', '1.2.3', '--proxy-uid', '-1'];
    for (const part of ['"0" is not a port', '"x" is not a port', '"1.2.3" is not a range', '--proxy-uid: "-1"']) {
      expect(() => read(argv)).toThrow(part);
    }
  });
});

/** 1 where a byte may stand in a token: method and field name (RFC 9110, section 5.6.2). */
export const TOKEN = table((code) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(code)));

/** 1 where a byte may stand in a request target: visible ASCII. */
export const TARGET = table((code) => code > 0x20 && code < 0x7f);

/**
 * What the scan for the end of a head must look at: 1 = CR, 2 = LF, 3 = a control character that is never
 * allowed, 0 = anything else (HTAB and obs-text included).
 */
export const SCAN = Uint8Array.from({ length: 256 }, (_, code) => {
  if (code === 0x0d) return 1;
  if (code === 0x0a) return 2;
  return (code < 0x20 && code !== 0x09) || code === 0x7f ? 3 : 0;
});

/** Value of a hexadecimal digit, 255 for any other byte. */
export const HEX = Uint8Array.from({ length: 256 }, (_, code) => {
  const value = Number.parseInt(String.fromCharCode(code), 16);
  return Number.isNaN(value) ? 255 : value;
});

function table(isMember: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, code) => (isMember(code) ? 1 : 0));
}

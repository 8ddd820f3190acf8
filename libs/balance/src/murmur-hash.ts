const MASK = 0xffff_ffff_ffff_ffffn;
const FACTOR = 0xc6a4_a793_5bd1_e995n;
const SHIFT = 47n;
/** The seed of libstdc++'s std::hash, which Envoy's ring is compatible with. */
const SEED = 0xc70f_6907n;

const UTF8 = new TextEncoder();

const mixed = (value: bigint): bigint => value ^ (value >> SHIFT);

/** MurmurHash2, 64 bits (MurmurHash64A), of a text's UTF-8 bytes. */
export function murmurHash2(text: string): bigint {
  const bytes = UTF8.encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const aligned = bytes.length & ~7;
  let hash = (SEED ^ (BigInt(bytes.length) * FACTOR)) & MASK;
  for (let at = 0; at < aligned; at += 8) {
    const data = (mixed((view.getBigUint64(at, true) * FACTOR) & MASK) * FACTOR) & MASK;
    hash = ((hash ^ data) * FACTOR) & MASK;
  }
  if (bytes.length > aligned) {
    let rest = 0n;
    for (let at = bytes.length - 1; at >= aligned; at--) rest = (rest << 8n) | BigInt(bytes[at] ?? 0);
    hash = ((hash ^ rest) * FACTOR) & MASK;
  }
  hash = (mixed(hash) * FACTOR) & MASK;
  return mixed(hash);
}

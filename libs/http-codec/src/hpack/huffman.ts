/**
 * Bits of each symbol's code (RFC 7541, appendix B), in hexadecimal order of the symbols; the last is EOS. The code is
 * canonical: codes of one length stand in the order of their symbols, so that the lengths say all of it.
 */
const LENGTHS: readonly number[] = [
  ...[13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28],
  ...[28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  ...[6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6],
  ...[5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10],
  ...[13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7],
  ...[7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6],
  ...[15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5],
  ...[6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28],
  ...[20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23],
  ...[24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24],
  ...[22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23],
  ...[21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23],
  ...[26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25],
  ...[19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27],
  ...[20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23],
  ...[26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26],
  30,
];

const EOS = 256;
/** A state from which nothing valid follows. */
const DEAD = 511;
/** In a step: a symbol has ended; it is in the lower eight bits. The state that follows is above. */
const EMITS = 0x100;
const STATE_SHIFT = 9;

const steps = compileSteps();

/**
 * Reads four bits of a Huffman-coded string: the next state, whether a symbol ended (no code is shorter than five bits,
 * so that one at most does) and which. A string begins in state 0.
 */
export function huffmanStep(state: number, nibble: number): number {
  return steps[(state << 4) | nibble] ?? 0;
}

/** The state after a step. */
export function stateOf(step: number): number {
  return step >>> STATE_SHIFT;
}

/** The symbol that ended with a step; -1: none did. */
export function symbolOf(step: number): number {
  return (step & EMITS) === 0 ? -1 : step & 0xff;
}

/** Reads a Huffman-coded string as latin1. What is no code ends it: the padding is not checked. */
export function decodeHuffman(bytes: Uint8Array): string {
  const symbols: number[] = [];
  let state = 0;
  for (const byte of bytes) {
    for (const nibble of [byte >> 4, byte & 15]) {
      const step = huffmanStep(state, nibble);
      if (symbolOf(step) !== -1) symbols.push(symbolOf(step));
      state = stateOf(step);
    }
  }
  return Buffer.from(symbols).toString('latin1');
}

/** Nodes of the tree: pairs of children, which are nodes (0 and above) or symbols (below 0, less one). */
function buildTree(): [number, number][] {
  const tree: [number, number][] = [[0, 0]];
  const symbols = LENGTHS.map((_, symbol) => symbol).sort((a, b) => lengthOf(a) - lengthOf(b) || a - b);
  let code = 0;
  let length = 0;
  for (const symbol of symbols) {
    // A longer code may pass 32 bits in no case: 30 is the most.
    code <<= lengthOf(symbol) - length;
    length = lengthOf(symbol);
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) node = childOf(tree, node, (code >> bit) & 1);
    const pair = tree[node];
    if (pair !== undefined) pair[code & 1] = -symbol - 1;
    code += 1;
  }
  return tree;
}

function lengthOf(symbol: number): number {
  return LENGTHS[symbol] ?? 0;
}

function childOf(tree: [number, number][], node: number, bit: number): number {
  const pair = tree[node];
  if (pair === undefined) return 0;
  if (pair[bit === 0 ? 0 : 1] === 0) pair[bit === 0 ? 0 : 1] = tree.push([0, 0]) - 1;
  return pair[bit === 0 ? 0 : 1];
}

function compileSteps(): Uint32Array {
  const tree = buildTree();
  const table = new Uint32Array((DEAD + 1) << 4).fill(DEAD << STATE_SHIFT);
  for (let state = 0; state < tree.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) table[(state << 4) | nibble] = stepOf(tree, state, nibble);
  }
  return table;
}

function stepOf(tree: readonly [number, number][], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = tree[node]?.[((nibble >> bit) & 1) === 0 ? 0 : 1] ?? 0;
    if (next >= 0) node = next;
    else if (-next - 1 === EOS) return DEAD << STATE_SHIFT;
    else {
      emitted = EMITS | (-next - 1);
      node = 0;
    }
  }
  return (node << STATE_SHIFT) | emitted;
}

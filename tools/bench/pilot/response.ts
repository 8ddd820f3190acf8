import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** What a proxy has to know of a `DeltaDiscoveryResponse` to go on, without the resources themselves. */
export interface ResponseHead {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly names: readonly string[];
  readonly removed: readonly string[];
}

/**
 * Reads a response without taking its resources apart: whoever plays hundreds of proxies on one core must not spend it
 * on decoding. Fields: resources = 2 (of them name = 3), type_url = 4, nonce = 5, removed_resources = 6.
 */
export function readResponse(bytes: Uint8Array): ResponseHead {
  const head = { typeUrl: '', nonce: '', names: [] as string[], removed: [] as string[] };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 2 && type === WireType.LengthDelimited) head.names.push(nameOf(reader.bytes()));
    else if (field === 4) head.typeUrl = reader.string();
    else if (field === 5) head.nonce = reader.string();
    else if (field === 6) head.removed.push(reader.string());
    else reader.skip(type);
  }
  return head;
}

function nameOf(resource: Uint8Array): string {
  const reader = new BinaryReader(resource);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 3) return reader.string();
    reader.skip(type);
  }
  return '';
}

import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { isObject, readDocuments, splitApiVersion } from '@flotilla/model';
import { type Resource, ResourceSchema } from '@flotilla/wire/flotilla/galley/v1/galley_pb.js';

/** Reads YAML as galley would serve it, unchecked. Each resource is a millisecond younger than the one before. */
export function readResources(yaml: string, version: number, startMs: number): Resource[] {
  const { documents, findings } = readDocuments(yaml, 'test');
  if (findings.length > 0) throw new Error(findings.map((finding) => finding.message).join('; '));
  return documents.map(({ value }, index) => {
    if (!isObject(value)) throw new Error('a document is not a map');
    const { apiVersion, kind, metadata, ...body } = value;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !isObject(metadata)) {
      throw new Error('a document has no apiVersion, kind or metadata');
    }
    const { name = '', namespace = 'default', labels = {}, annotations = {} } = metadata;
    return create(ResourceSchema, {
      key: { group: splitApiVersion(apiVersion).group, kind, namespace: String(namespace), name: String(name) },
      apiVersion,
      // Test documents write text there.
      labels: labels as Record<string, string>,
      annotations: annotations as Record<string, string>,
      body,
      resourceVersion: BigInt(version),
      createdAt: timestampFromMs(startMs + index),
    });
  });
}

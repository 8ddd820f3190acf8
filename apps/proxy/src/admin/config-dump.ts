import { isObject } from '@flotilla/runtime';
import {
  create,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  type Registry,
  toJson,
} from '@bufbuild/protobuf';
import { type Any, anyPack, EmptySchema, timestampFromMs } from '@bufbuild/protobuf/wkt';
import { compileRegexSearch } from '@flotilla/match';
import { BootstrapConfigDumpSchema, SecretsConfigDumpSchema } from '@flotilla/wire/envoy/admin/v3/config_dump_pb.js';
import {
  ClientResourceStatus,
  ClustersConfigDumpSchema,
  EcdsConfigDumpSchema,
  EndpointsConfigDumpSchema,
  ListenersConfigDumpSchema,
  RoutesConfigDumpSchema,
} from '@flotilla/wire/envoy/admin/v3/config_dump_shared_pb.js';
import { SecretSchema } from '@flotilla/wire/envoy/extensions/transport_sockets/tls/v3/secret_pb.js';
import { loadAllTypes } from '../bootstrap/extension-types.ts';
import type { RefusedRecord, ResourceRecord } from '../config/resource-record.ts';
import type { AdminState } from './admin-state.ts';
import { fits, masked, parseFieldMask } from './field-mask.ts';
import { type AdminReply, json, text } from './server.ts';

const REDACTED = '[redacted]';
/** Fields whose content must not leave the process. */
const SENSITIVE = new Set([
  'private_key',
  'password',
  'session_ticket_keys',
  'generic_secret',
  'pkcs12',
  'initial_metadata',
]);

/** `/config_dump`: what is in force, what warms, what was refused; versions are the control plane's. */
export async function configDumpPage(state: AdminState, query: URLSearchParams): Promise<AdminReply> {
  const sections = await dumpAll(state, query.has('include_eds'));
  const maskText = query.get('mask');
  const mask = maskText === null ? null : parseFieldMask(maskText);
  const pattern = query.get('name_regex');
  let names: NameMatch | null = null;
  try {
    names = pattern === null ? null : compileRegexSearch(pattern);
  } catch {
    return text('name_regex is not a regular expression\n', 400);
  }
  const resource = query.get('resource');
  if (resource === null) {
    // As in Envoy a mask is of the parts of the dump that have its fields.
    const wanted = mask === null ? sections : sections.filter(({ schema }) => fits(mask, schema));
    if (wanted.length === 0) return text(`FieldMask ${maskText} could not be applied to any part of the dump\n`, 400);
    const shown = wanted
      .map(({ content }) => (names === null ? content : withNames(content, names)))
      .map((content) => (mask === null ? content : masked(content, mask)));
    return json(`${JSON.stringify({ configs: shown }, null, 1)}\n`);
  }
  const section = sections.find(({ content }) => Array.isArray(content[resource]) || isObject(content[resource]));
  const itemSchema = messageIn(section?.schema, resource);
  if (section === undefined || itemSchema === null) return text(`${resource} not found in config dump\n`, 404);
  if (mask !== null && !fits(mask, itemSchema)) {
    return text(`FieldMask ${maskText} does not fit ${itemSchema.typeName}\n`, 400);
  }
  const found = section.content[resource];
  const items = (Array.isArray(found) ? found : [found ?? null])
    .filter(isObject)
    .filter((item) => names === null || hasName(item, names))
    .map((item) => ({ '@type': `type.googleapis.com/${itemSchema.typeName}`, ...item }))
    .map((item) => (mask === null ? item : masked(item, mask)));
  return json(`${JSON.stringify({ configs: items }, null, 1)}\n`);
}

/** The message of a field, or of what a list holds. */
function messageIn(schema: DescMessage | undefined, fieldName: string): DescMessage | null {
  const field = schema?.fields.find(({ name }) => name === fieldName);
  return field?.message ?? null;
}

/** A part of the dump, printed. */
interface Section {
  readonly schema: DescMessage;
  readonly content: JsonObject;
}

async function dumpAll(state: AdminState, includeEndpoints: boolean): Promise<Section[]> {
  const registry = lenient(await loadAllTypes());
  const printers = [
    () => print(BootstrapConfigDumpSchema, bootstrapDump(state), registry),
    () => print(ClustersConfigDumpSchema, clustersDump(state), registry),
    ...(includeEndpoints ? [() => print(EndpointsConfigDumpSchema, endpointsDump(state), registry)] : []),
    () => print(ListenersConfigDumpSchema, listenersDump(state), registry),
    () => print(RoutesConfigDumpSchema, routesDump(state), registry),
    () => print(SecretsConfigDumpSchema, secretsDump(state), registry),
    ...(state.config.extensions.dump().length === 0
      ? []
      : [() => print(EcdsConfigDumpSchema, extensionsDump(state), registry)]),
  ];
  return printers.map((section) => section());
}

function print<D extends DescMessage>(schema: D, message: MessageShape<D>, registry: Registry): Section {
  const printed = redact(toJson(schema, message, { useProtoFieldName: true, registry })) as JsonObject; // a message prints as an object
  return { schema, content: { '@type': `type.googleapis.com/${schema.typeName}`, ...printed } };
}

/** A type that nobody knows prints as its URL alone, instead of failing the page. */
function lenient(registry: Registry): Registry {
  return {
    kind: registry.kind,
    [Symbol.iterator]: () => registry[Symbol.iterator](),
    get: (name) => registry.get(name),
    getMessage: (name) => registry.getMessage(name) ?? EmptySchema,
    getEnum: (name) => registry.getEnum(name),
    getExtension: (name) => registry.getExtension(name),
    getExtensionFor: (extendee, no) => registry.getExtensionFor(extendee, no),
    getService: (name) => registry.getService(name),
  };
}

function bootstrapDump({ bootstrap, startedMs }: AdminState) {
  return create(BootstrapConfigDumpSchema, { bootstrap, lastUpdated: timestampFromMs(startedMs) });
}

function clustersDump({ config }: AdminState) {
  const dumps = config.clusters.dump();
  const active = dumps.filter((dump) => !dump.isStatic && (dump.active !== null || dump.next === null));
  return create(ClustersConfigDumpSchema, {
    versionInfo: config.systemVersion(),
    staticClusters: dumps.flatMap(({ isStatic, active: record }) =>
      isStatic && record !== null ? [{ cluster: record.resource, lastUpdated: timestampFromMs(record.updatedMs) }] : [],
    ),
    dynamicActiveClusters: active.map(({ active: record, refused }) => ({
      ...stateOf(record, 'cluster'),
      ...failureOf(refused),
      clientStatus: statusOf(record, refused),
    })),
    dynamicWarmingClusters: dumps.flatMap(({ next }) => (next === null ? [] : [stateOf(next, 'cluster')])),
  });
}

function endpointsDump({ config }: AdminState) {
  return create(EndpointsConfigDumpSchema, {
    dynamicEndpointConfigs: config.clusters.dumpEndpoints().map((record) => ({
      ...stateOf(record, 'endpointConfig'),
      clientStatus: ClientResourceStatus.ACKED,
    })),
  });
}

function listenersDump({ config }: AdminState) {
  const dumps = config.listeners.dump();
  return create(ListenersConfigDumpSchema, {
    versionInfo: config.systemVersion(),
    staticListeners: dumps.flatMap(({ isStatic, active }) =>
      isStatic && active !== null
        ? [{ listener: active.resource, lastUpdated: timestampFromMs(active.updatedMs) }]
        : [],
    ),
    dynamicListeners: dumps.flatMap(({ isStatic, name, active, next, refused }) =>
      isStatic
        ? []
        : [
            {
              name,
              ...(active === null ? {} : { activeState: stateOf(active, 'listener') }),
              ...(next === null ? {} : { warmingState: stateOf(next, 'listener') }),
              ...failureOf(refused),
              clientStatus: statusOf(active, refused),
            },
          ],
    ),
  });
}

function routesDump({ config }: AdminState) {
  return create(RoutesConfigDumpSchema, {
    dynamicRouteConfigs: config.routes.dump().map(({ record, refused }) => ({
      ...stateOf(record, 'routeConfig'),
      ...failureOf(refused),
      clientStatus: statusOf(record, refused),
    })),
  });
}

function extensionsDump({ config }: AdminState) {
  return create(EcdsConfigDumpSchema, {
    ecdsFilters: config.extensions.dump().map(({ record, refused }) => ({
      ...stateOf(record, 'ecdsFilter'),
      ...failureOf(refused),
      clientStatus: statusOf(record, refused),
    })),
  });
}

/** Names and certificates; never a key. */
function secretsDump({ secrets, bootstrap, startedMs }: AdminState) {
  const statics = new Set((bootstrap.staticResources?.secrets ?? []).map(({ name }) => name));
  const all = secrets.names().map((name) => {
    const holder = secrets.holder(name);
    const secret = holder.current();
    const message = create(SecretSchema, {
      name,
      ...(secret === null
        ? {}
        : { type: secret.kind === 'certificate' ? certificate(secret.chainPem) : trust(secret.trustedCaPem) }),
    });
    const entry = {
      name,
      versionInfo: String(holder.version()),
      lastUpdated: timestampFromMs(startedMs),
      secret: anyPack(SecretSchema, message),
    };
    return { entry, isStatic: statics.has(name), isPresent: secret !== null };
  });
  return create(SecretsConfigDumpSchema, {
    staticSecrets: all.flatMap(({ entry: { name, secret }, isStatic }) => (isStatic ? [{ name, secret }] : [])),
    dynamicActiveSecrets: all.flatMap(({ entry, isStatic, isPresent }) => (!isStatic && isPresent ? [entry] : [])),
    dynamicWarmingSecrets: all.flatMap(({ entry, isStatic, isPresent }) => (!isStatic && !isPresent ? [entry] : [])),
  });
}

function certificate(chainPem: string) {
  const inline = (value: string) => ({ specifier: { case: 'inlineString' as const, value } });
  return {
    case: 'tlsCertificate' as const,
    value: { certificateChain: inline(chainPem), privateKey: inline(REDACTED) },
  };
}

function trust(pem: string) {
  return {
    case: 'validationContext' as const,
    value: { trustedCa: { specifier: { case: 'inlineString' as const, value: pem } } },
  };
}

function stateOf<F extends string>(record: ResourceRecord | null, field: F) {
  if (record === null) return {};
  // A computed key widens to string; the record holds exactly this field.
  const content = { [field]: record.resource } as Record<F, Any>;
  return { versionInfo: record.version, lastUpdated: timestampFromMs(record.updatedMs), ...content };
}

function failureOf(refused: RefusedRecord | null) {
  if (refused === null) return {};
  return {
    errorState: {
      ...(refused.resource === null ? {} : { failedConfiguration: refused.resource }),
      lastUpdateAttempt: timestampFromMs(refused.atMs),
      details: refused.reason,
      versionInfo: refused.version,
    },
  };
}

function statusOf(record: ResourceRecord | null, refused: RefusedRecord | null): ClientResourceStatus {
  if (refused !== null) return ClientResourceStatus.NACKED;
  return record === null ? ClientResourceStatus.REQUESTED : ClientResourceStatus.ACKED;
}

function redact(value: JsonValue, isSensitive = false): JsonValue {
  if (Array.isArray(value)) return value.map((item) => redact(item, isSensitive));
  if (isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, redact(item, isSensitive || SENSITIVE.has(key))]),
    );
  }
  return isSensitive ? REDACTED : value;
}

type NameMatch = (name: string) => boolean;

function withNames(config: JsonObject, names: NameMatch): JsonObject {
  return Object.fromEntries(
    Object.entries(config).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.filter((item) => hasName(item, names)) : value,
    ]),
  );
}

/** The name of a dumped resource, or of the configuration in it. */
function hasName(item: JsonValue, names: NameMatch): boolean {
  if (!isObject(item)) return false;
  const inner = [item, ...Object.values(item).filter(isObject)];
  return inner.some((object) => {
    const name = object['name'] ?? object['cluster_name'];
    return typeof name === 'string' && names(name);
  });
}

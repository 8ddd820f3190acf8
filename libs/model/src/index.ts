export {
  ADDRESSES_ANNOTATION,
  AUTOMATIC_ANNOTATION,
  CONTROLLER_ANNOTATION,
  INSTANCE_ANNOTATION,
  PROXY_TYPE_ANNOTATION,
  WORKLOAD_ANNOTATION,
} from './annotations.ts';
export {
  compareKeys,
  describeKey,
  formatKey,
  formatOrigin,
  parseKey,
  type Origin,
  type ResourceKey,
} from './resource-key.ts';
export {
  keyFromWire,
  keyToWire,
  originFromWire,
  originToWire,
  resourceFromWire,
  resourceToWire,
  type Resource,
} from './resource.ts';
export {
  decodeBody,
  isOfType,
  toMeshResource,
  typedResource,
  type AnyMeshResource,
  type MeshResource,
  type MeshResourceOf,
} from './mesh-resource.ts';
export {
  allKinds,
  findKind,
  isIstioGroup,
  KINDS,
  splitApiVersion,
  type IstioKind,
  type IstioKindEntry,
  type IstioSpecs,
  type KindEntry,
  type KnownKind,
  type KubernetesKind,
  type KubernetesKindEntry,
  type KubernetesSpecs,
  type SpecByKind,
} from './kinds.ts';
export type { KubernetesService, KubernetesServicePort } from './kubernetes/service.ts';
export type {
  KubernetesContainer,
  KubernetesContainerPort,
  KubernetesNameOnly,
  KubernetesPod,
  KubernetesWorkload,
} from './kubernetes/workload.ts';
export {
  compareSpecificity,
  DEFAULT_DOMAIN_SUFFIX,
  hostCovers,
  hostsOverlap,
  isWildcard,
  mostSpecificMatch,
  resolveHost,
  serviceHost,
} from './hosts.ts';
export { labelsMatch, type Labels } from './labels.ts';
export {
  delegatesOf,
  destinationsOf,
  gatewayId,
  gatewaysOf,
  hostsOf,
  isInMesh,
  MESH_GATEWAY,
  selectorOf,
  type DestinationReference,
  type NameReference,
} from './references.ts';
export {
  isHttpProtocol,
  portProtocol,
  protocolByName,
  type PortDeclaration,
  type PortProtocol,
} from './port-protocol.ts';
export { EXPORT_TO_ANNOTATION, isVisibleFrom, parseExportTo, type Visibility } from './visibility.ts';
export {
  FAULT_CODES,
  FaultList,
  formatPath,
  type Decoded,
  type Fault,
  type FaultCode,
  type FieldPath,
} from './decode/fault.ts';
export { isObject } from '@flotilla/runtime';
export { decodeMessage, type DecodeMessageOptions } from './decode/message.ts';
export { describeType, quote } from './decode/scalar.ts';
export { didYouMean, suggest } from './decode/suggest.ts';
export { formatFinding, moreFinding, shorten, toFinding, toFindings, type Finding, type Locator } from './finding.ts';
export { readDocuments, type ReadDocuments, type SourceDocument } from './yaml/read-documents.ts';
export { DEFAULT_YAML_LIMITS, type YamlLimits } from './yaml/limits.ts';
export { checkSupport, ISTIO_SUPPORT, supportOf, type KindSupport } from './support/istio-kinds.ts';
export type { SupportLine, SupportTable } from './support/support.ts';
export { decodeMeshConfig, type DecodedMeshConfig } from './mesh-config/mesh-config.ts';

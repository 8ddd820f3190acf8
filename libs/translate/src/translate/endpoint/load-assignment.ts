import type { ClusterLoadAssignmentSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_pb.js';
import type { LbEndpointSchema } from '@flotilla/wire/envoy/config/endpoint/v3/endpoint_components_pb.js';
import type { LocalityLoadBalancerSetting } from '@flotilla/wire/istio/networking/v1alpha3/destination_rule_pb.js';
import { labelsMatch } from '@flotilla/model';
import type { Endpoint, EndpointSet } from '../../registry/service.ts';
import type { LabelList } from '../../mesh/label-list.ts';
import { loadAssignmentDraft } from '../draft.ts';
import type { Init } from '../protobuf.ts';
import { localityGroups, type LocalityPreference } from './locality.ts';

/** Labels that name and version a workload for telemetry, in order of preference (Istio's canonical service). */
const CANONICAL_NAME = ['service.istio.io/canonical-name', 'app.kubernetes.io/name', 'app'];
const CANONICAL_REVISION = ['service.istio.io/canonical-revision', 'app.kubernetes.io/version', 'version'];

export interface Assignment {
  /** Of the cluster. */
  readonly name: string;
  /** `null` when the service is unknown: the cluster then has no endpoints. */
  readonly endpoints: EndpointSet | null;
  /** Port number of the service. */
  readonly port: number;
  /** Labels of the subset; empty takes all. */
  readonly labels: Readonly<Record<string, string>>;
  /** Null: all localities count alike. */
  readonly preference: LocalityPreference | null;
}

/** The endpoints of one cluster by locality, the heaviest distinction that Envoy's load balancers make. */
export function loadAssignment(assignment: Assignment): Init<typeof ClusterLoadAssignmentSchema> {
  const chosen = (assignment.endpoints?.byPort.get(assignment.port) ?? []).filter((endpoint) =>
    labelsMatch(assignment.labels, endpoint.labels),
  );
  return {
    clusterName: assignment.name,
    endpoints: localityGroups(chosen, assignment.preference).map(({ locality, endpoints, weight, priority }) => {
      const [region = '', zone = '', subZone = ''] = locality.split('/');
      return {
        ...(locality === '' ? {} : { locality: { region, zone, subZone } }),
        lbEndpoints: endpoints.map(lbEndpoint),
        loadBalancingWeight: weight,
        priority,
      };
    }),
  };
}

function lbEndpoint(endpoint: Endpoint): Init<typeof LbEndpointSchema> {
  return {
    hostIdentifier: {
      case: 'endpoint',
      value: {
        address: {
          address: endpoint.address.startsWith('/')
            ? { case: 'pipe', value: { path: endpoint.address } }
            : {
                case: 'socketAddress',
                value: { address: endpoint.address, portSpecifier: { case: 'portValue', value: endpoint.port } },
              },
        },
      },
    },
    loadBalancingWeight: endpoint.weight,
    metadata: {
      filterMetadata: {
        ...(endpoint.tlsMode === 'istio' ? { 'envoy.transport_socket_match': { tlsMode: 'istio' } } : {}),
        istio: { workload: workloadMetadata(endpoint) },
      },
    },
  };
}

/** `<workload>;<namespace>;<canonical name>;<canonical revision>;<cluster>`, which telemetry reads. */
export function workloadMetadata(endpoint: Endpoint): string {
  const labelled = (names: readonly string[]) => names.map((name) => endpoint.labels[name]).find(Boolean);
  const name = labelled(CANONICAL_NAME) ?? endpoint.workload;
  const revision = labelled(CANONICAL_REVISION) ?? 'latest';
  return [endpoint.workload, endpoint.namespace, name, revision, 'Kubernetes'].join(';');
}

/** A `LocalityPreference` as inputs of the resource cache: null and empty where the client's place does not count. */
export type LocalityInputs = {
  readonly localitySetting: LocalityLoadBalancerSetting | null;
  readonly locality: string;
  readonly localityLabels: LabelList;
};

export function preferenceOf(inputs: LocalityInputs): LocalityPreference | null {
  const { localitySetting: setting, locality, localityLabels: labels } = inputs;
  return setting === null ? null : { setting, locality, labels };
}

export type EndpointInputs = {
  readonly name: string;
  readonly endpoints: EndpointSet | null;
  readonly port: number;
  /** The subset's labels, an immutable part of its rule; `null` for all endpoints. */
  readonly subsetLabels: Readonly<Record<string, string>> | null;
} & LocalityInputs;

/** The EDS resource of one cluster. A cluster without endpoints has one too: its proxies wait for it. */
export function endpointResource(inputs: EndpointInputs) {
  const { name, endpoints, port, subsetLabels } = inputs;
  return loadAssignmentDraft(
    name,
    loadAssignment({ name, endpoints, port, labels: subsetLabels ?? {}, preference: preferenceOf(inputs) }),
  );
}

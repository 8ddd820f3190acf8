import { flag, integer, list, oneOf, optional, record, required, text, textMap } from '../decode/shape.ts';
import type { Shape } from '../decode/shape.ts';
import { quote, describeType } from '../decode/scalar.ts';

/** A port of a Kubernetes Service. */
export interface KubernetesServicePort {
  /** "" only when the Service has a single port. */
  readonly name: string;
  readonly port: number;
  /** Transport. */
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  /** Port of the selected workloads, or the name of one of their container ports. Equals `port` unless written. */
  readonly targetPort: number | string;
  readonly appProtocol: string | null;
  readonly nodePort: number;
}

/** What a mesh reads of a Kubernetes Service. */
export interface KubernetesService {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName';
  /** "" when none is assigned, "None" for a headless Service. */
  readonly clusterIP: string;
  readonly clusterIPs: readonly string[];
  /** Labels of the workloads behind it. Empty: it selects none. */
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly KubernetesServicePort[];
  readonly externalName: string;
  readonly publishNotReadyAddresses: boolean;
}

const portOrName: Shape<number | string | null> = (value, path, faults) => {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
  if (typeof value === 'string' && /^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$/.test(value)) return value;
  const shown = typeof value === 'string' ? quote(value) : describeType(value);
  faults.error(path, `must be a port number or the name of a container port, but is ${shown}`);
  return null;
};

const servicePort = record({
  name: text(),
  port: required(integer(1, 65_535, 0)),
  protocol: oneOf('TCP', 'UDP', 'SCTP'),
  targetPort: portOrName,
  appProtocol: optional(text()),
  nodePort: integer(0, 65_535, 0),
});

// Fields of ServiceSpec that say nothing to a mesh without a Kubernetes cluster under it.
const OTHER_FIELDS = [
  'allocateLoadBalancerNodePorts',
  'externalIPs',
  'externalTrafficPolicy',
  'healthCheckNodePort',
  'internalTrafficPolicy',
  'ipFamilies',
  'ipFamilyPolicy',
  'loadBalancerClass',
  'loadBalancerIP',
  'loadBalancerSourceRanges',
  'sessionAffinity',
  'sessionAffinityConfig',
  'trafficDistribution',
];

const serviceSpec = record(
  {
    type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
    clusterIP: text(),
    clusterIPs: list(text()),
    selector: textMap(),
    ports: list(servicePort),
    externalName: text(),
    publishNotReadyAddresses: flag(),
  },
  OTHER_FIELDS,
);

const checkedSpec: Shape<KubernetesService> = (value, path, faults) => {
  const spec = serviceSpec(value, path, faults);
  const names = new Set<string>();
  const numbers = new Set<string>();
  spec.ports.forEach((port, index) => {
    const portPath = [...path, 'ports', index];
    if (spec.ports.length > 1 && port.name === '') {
      faults.error(portPath, 'a port needs a name when the Service has several', 'Name it by protocol, such as http.');
    }
    if (port.name !== '' && names.has(port.name)) {
      faults.error([...portPath, 'name'], `the port name ${quote(port.name)} is taken by another port`);
    }
    const number = `${port.port}/${port.protocol}`;
    if (port.port !== 0 && numbers.has(number)) {
      faults.error([...portPath, 'port'], `port ${number} is written twice`);
    }
    names.add(port.name);
    numbers.add(number);
  });
  if (spec.type === 'ExternalName' && spec.externalName === '') {
    faults.error(path, 'a Service of type ExternalName needs externalName');
  }
  if (spec.type !== 'ExternalName' && spec.clusterIP !== 'None' && spec.ports.length === 0) {
    faults.error(path, 'a Service needs at least one port');
  }
  return { ...spec, ports: spec.ports.map((port) => ({ ...port, targetPort: port.targetPort ?? port.port })) };
};

const serviceDocument = record({ spec: required(checkedSpec) });

export const serviceShape: Shape<KubernetesService> = (body, path, faults) => serviceDocument(body, path, faults).spec;

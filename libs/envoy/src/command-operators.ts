import { FlotillaError } from '@flotilla/runtime';

/** How an operator is written. `length`: `%NAME(…):10%` may cut its value short. */
interface Form {
  readonly argument: 'none' | 'optional' | 'needed';
  readonly length: boolean;
  /** What an argument must look like, for the hint as well. */
  readonly like: readonly [pattern: RegExp, description: string] | null;
}

const PLAIN: Form = { argument: 'none', length: false, like: null };
const HEADER_NAME = String.raw`:?[!#$%&'*+.^_\`|~0-9A-Za-z-]+`;
const HEADER: Form = {
  argument: 'needed',
  length: true,
  like: [new RegExp(String.raw`^${HEADER_NAME}(?:\?(?:${HEADER_NAME})?)?$`), 'a header, or two joined by "?"'],
};
const TIME: Form = {
  argument: 'optional',
  length: false,
  // What strftime and all proxies know; `%E3S` and `%3f` are parts of a second.
  like: [/^(?:[^%]|%[YymdeHIMSpaAbhBjuwFTRDsfzZn%]|%E[1-9]S|%[1-9]f)*$/, 'a format of strftime'],
};
const NAMED: Form = { argument: 'needed', length: true, like: [/^.+$/s, 'a name'] };
const POINT = '(?:DS_RX_BEG|DS_RX_END|US_TX_BEG|US_TX_END|US_RX_BEG|US_RX_END|DS_TX_BEG|DS_TX_END)';

const SIDES = {
  DOWNSTREAM_PEER: 'URI_SAN DNS_SAN IP_SAN EMAIL_SAN SUBJECT ISSUER SERIAL FINGERPRINT_1 FINGERPRINT_256 CERT',
  DOWNSTREAM_LOCAL: 'URI_SAN DNS_SAN IP_SAN EMAIL_SAN SUBJECT',
  UPSTREAM_PEER: 'URI_SAN DNS_SAN IP_SAN SUBJECT ISSUER CERT',
  UPSTREAM_LOCAL: 'URI_SAN DNS_SAN IP_SAN',
};

const PLAIN_OPERATORS = `PROTOCOL RESPONSE_CODE LOCAL_REPLY_BODY RESPONSE_CODE_DETAILS CONNECTION_TERMINATION_DETAILS
  RESPONSE_FLAGS RESPONSE_FLAGS_LONG REQUEST_HEADERS_BYTES RESPONSE_HEADERS_BYTES RESPONSE_TRAILERS_BYTES BYTES_RECEIVED
  BYTES_SENT DURATION REQUEST_DURATION REQUEST_TX_DURATION RESPONSE_DURATION RESPONSE_TX_DURATION ROUTE_NAME HOSTNAME
  CONNECTION_ID GRPC_STATUS_NUMBER STREAM_ID UNIQUE_ID ACCESS_LOG_TYPE UPSTREAM_HOST UPSTREAM_REMOTE_ADDRESS
  UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_PORT UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW UPSTREAM_LOCAL_ADDRESS
  UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_PORT UPSTREAM_TRANSPORT_FAILURE_REASON UPSTREAM_PROTOCOL
  UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_CONNECTION_ID UPSTREAM_HOST_NAME UPSTREAM_HOST_NAME_WITHOUT_PORT
  UPSTREAM_HOSTS_ATTEMPTED UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT DOWNSTREAM_REMOTE_ADDRESS
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_REMOTE_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_DIRECT_LOCAL_ADDRESS
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_LOCAL_PORT DOWNSTREAM_LOCAL_ADDRESS
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_LOCAL_PORT REQUESTED_SERVER_NAME DOWNSTREAM_TRANSPORT_FAILURE_REASON
  LISTENER_NAME FILTER_CHAIN_NAME DOWNSTREAM_TLS_VERSION DOWNSTREAM_TLS_CIPHER UPSTREAM_TLS_VERSION UPSTREAM_TLS_CIPHER
  TRACE_ID SPAN_ID VIRTUAL_CLUSTER_NAME ROUNDTRIP_DURATION CUSTOM_FLAGS DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID
  DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID`.split(/\s+/);

/** The command operators that every data plane takes in the value of a header: Envoy's, as far as our proxy has them. */
export const COMMAND_OPERATORS: ReadonlyMap<string, Form> = new Map<string, Form>([
  ...PLAIN_OPERATORS.map((name) => [name, PLAIN] as const),
  ...Object.entries(SIDES).flatMap(([side, ends]) => ends.split(' ').map((end) => [`${side}_${end}`, PLAIN] as const)),
  ...['REQ', 'RESP', 'TRAILER'].map((name) => [name, HEADER] as const),
  ...['START_TIME', 'EMIT_TIME'].map((name) => [name, TIME] as const),
  ...['DOWNSTREAM', 'UPSTREAM'].flatMap((side) =>
    ['START', 'END'].map((end) => [`${side}_PEER_CERT_V_${end}`, TIME] as const),
  ),
  ...['QUERY_PARAM', 'ENVIRONMENT', 'DYNAMIC_METADATA', 'UPSTREAM_METADATA', 'CLUSTER_METADATA'].map(
    (name) => [name, NAMED] as const,
  ),
  [
    'METADATA',
    {
      argument: 'needed',
      length: false,
      like: [/^(?:DYNAMIC|ROUTE|CLUSTER|UPSTREAM_HOST)(?::.*)?$/s, 'ROUTE:NAMESPACE:KEY'],
    },
  ],
  ['FILTER_STATE', { argument: 'needed', length: false, like: [/^[^:]+(?::(?:PLAIN|TYPED))?$/, 'KEY or KEY:PLAIN'] }],
  [
    'PATH',
    { argument: 'optional', length: false, like: [/^(?:WQ|NQ)(?::(?:ORIG|PATH|ORIG_OR_PATH))?$/, 'WQ or NQ:ORIG'] },
  ],
  ['GRPC_STATUS', { argument: 'optional', length: false, like: [/^(?:CAMEL_STRING|SNAKE_STRING|NUMBER)$/, 'NUMBER'] }],
  [
    'COMMON_DURATION',
    {
      argument: 'needed',
      length: false,
      like: [new RegExp(`^${POINT}:${POINT}(?::(?:ms|us|ns))?$`), 'DS_RX_BEG:US_TX_BEG:ms'],
    },
  ],
]);

const OPERATOR = /%%|%([A-Z0-9_]+)(?:\(([^)]*)\))?(?::(\d+))?%|[^%]+/gy;

/**
 * Throws `invalid` for a value of a header (Envoy's substitution format string) that some data plane refuses: a per cent
 * sign that opens no operator, an operator that is not known, an argument that it does not take.
 */
export function checkFormat(format: string): void {
  OPERATOR.lastIndex = 0;
  let end = 0;
  for (let match = OPERATOR.exec(format); match !== null; match = OPERATOR.exec(format)) {
    end = OPERATOR.lastIndex;
    const [, name, argument, length] = match;
    if (name !== undefined) checkOperator(name, argument, length !== undefined);
  }
  if (end === format.length) return;
  throw new FlotillaError('invalid', `the per cent sign at position ${end} opens no command operator`, {
    hint: 'Write %% for a per cent sign itself, %NAME% or %NAME(ARGUMENT)% for an operator.',
  });
}

function checkOperator(name: string, argument: string | undefined, hasLength: boolean): void {
  const form = COMMAND_OPERATORS.get(name);
  if (form === undefined) {
    throw new FlotillaError('invalid', `unknown command operator %${name}%`, {
      hint: 'Write %% for a per cent sign itself.',
    });
  }
  if (hasLength && !form.length) throw new FlotillaError('invalid', `%${name}% cannot be cut to a length`);
  if (argument === undefined) {
    if (form.argument === 'needed') throw new FlotillaError('invalid', `%${name}% needs ${form.like?.[1] ?? ''}`);
    return;
  }
  if (form.argument === 'none') throw new FlotillaError('invalid', `%${name}% takes no argument`);
  if (form.like?.[0].test(argument) === false) {
    throw new FlotillaError('invalid', `%${name}(${argument})% is not understood`, {
      hint: `Between the parentheses stands ${form.like[1]}.`,
    });
  }
}

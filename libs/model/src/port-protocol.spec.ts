import { describe, expect, it } from 'vitest';
import { portProtocol } from './port-protocol.ts';

describe('portProtocol', () => {
  it.each([
    ['a bare protocol', { name: 'http', port: 80 }, 'HTTP'],
    ['a protocol with a suffix', { name: 'http-web', port: 80 }, 'HTTP'],
    ['gRPC', { name: 'grpc', port: 80 }, 'GRPC'],
    ['gRPC-Web before gRPC', { name: 'grpc-web-ui', port: 80 }, 'GRPC-Web'],
    ['upper case', { name: 'HTTP2', port: 80 }, 'HTTP2'],
    ['an unknown name', { name: 'web', port: 80 }, 'auto'],
    ['no name', { name: '', port: 80 }, 'auto'],
    ['a prefix without a dash is no protocol', { name: 'httpweb', port: 80 }, 'auto'],
    ['appProtocol before the name', { name: 'http', port: 80, appProtocol: 'tcp' }, 'TCP'],
    ['Kubernetes h2c', { name: 'http', port: 80, appProtocol: 'kubernetes.io/h2c' }, 'HTTP2'],
    ['UDP whatever the name', { name: 'http', port: 80, transport: 'UDP' }, 'UDP'],
    ['MySQL speaks first', { name: '', port: 3306 }, 'TCP'],
    ['a declared protocol on such a port', { name: 'http', port: 3306 }, 'HTTP'],
  ])('%s', (_, declaration, expected) => {
    expect(portProtocol(declaration)).toBe(expected);
  });
});

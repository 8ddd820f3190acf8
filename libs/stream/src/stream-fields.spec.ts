import { HeaderList } from '@flotilla/http-codec';
import { expect, it } from 'vitest';
import { grpcStatusOf } from './stream-fields.ts';
import { StreamInfo } from './stream-info.ts';
import { PLAIN_CONNECTION } from './testing.ts';

it.each<[string, Record<string, string> | null, Record<string, string>, number | null]>([
  ['in trailers', { 'grpc-status': '5' }, {}, 5],
  ['in headers, where there are no trailers', null, { 'grpc-status': '14' }, 14],
  ['in trailers before headers', { 'grpc-status': '5' }, { 'grpc-status': '0' }, 5],
  ['that is empty', { 'grpc-status': '' }, {}, null],
  ['that is no number', { 'grpc-status': 'x' }, {}, null],
  ['that is not there', {}, {}, null],
])('a gRPC status %s', (_, trailers, headers, status) => {
  const info = new StreamInfo(PLAIN_CONNECTION, 0, 0);
  info.responseHeaders = HeaderList.of(headers);
  if (trailers !== null) info.responseTrailers = HeaderList.of(trailers);
  expect(grpcStatusOf(info)).toBe(status);
});

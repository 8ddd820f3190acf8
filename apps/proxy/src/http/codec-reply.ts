import type { ParseErrorCode } from '@flotilla/http-codec';
import { ResponseFlag } from '@flotilla/stream';
import type { LocalReply } from '../ports/local-reply.ts';

/** How a refused request is answered: Envoy's status and details per fault of framing. */
export function replyToParseError(code: ParseErrorCode): LocalReply {
  switch (code) {
    case 'head-too-large':
    case 'target-too-long':
      return protocolError(431, 'Request Header Fields Too Large', 'http1.headers_too_large');
    case 'too-many-fields':
      return protocolError(431, 'Request Header Fields Too Large', 'http1.too_many_headers');
    case 'version-not-supported':
    case 'http10-refused':
    case 'bad-request-line':
      return protocolError(426, 'Upgrade Required', 'low_version');
    case 'bad-transfer-encoding':
    case 'transfer-encoding-in-http10':
      return protocolError(501, 'Not Implemented', 'http1.invalid_transfer_encoding');
    case 'content-length-with-transfer-encoding':
      return protocolError(400, 'Bad Request', 'http1.content_length_and_chunked_not_allowed');
    case 'control-character':
      return protocolError(400, 'Bad Request', 'http1.invalid_characters');
    case 'bad-connection':
      return protocolError(400, 'Bad Request', 'http1.connection_header_rejected');
    default:
      return protocolError(400, 'Bad Request', 'http1.codec_error');
  }
}

function protocolError(status: number, body: string, details: string): LocalReply {
  return { status, body, details, flags: ResponseFlag.DownstreamProtocolError, headers: null };
}

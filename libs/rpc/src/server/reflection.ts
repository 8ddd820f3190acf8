import { type DescFile, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectRouter } from '@connectrpc/connect';
import { file_google_rpc_error_details } from '@flotilla/wire/google/rpc/error_details_pb.js';
import { ServerReflection as ReflectionV1 } from '@flotilla/wire/grpc/reflection/v1/reflection_pb.js';
import { ServerReflection as ReflectionV1Alpha } from '@flotilla/wire/grpc/reflection/v1alpha/reflection_pb.js';
import { indexFiles, type ReflectionIndex, withImports } from './reflection-index.ts';

/** What requests of both versions of the service have in common. */
interface Request {
  readonly host: string;
  readonly messageRequest:
    | { readonly case: 'fileByFilename' | 'fileContainingSymbol'; readonly value: string }
    | { readonly case: 'allExtensionNumbersOfType' | 'listServices'; readonly value: string }
    | {
        readonly case: 'fileContainingExtension';
        readonly value: { readonly containingType: string; readonly extensionNumber: number };
      }
    | { readonly case: undefined; readonly value?: undefined };
}

type Answer =
  | { readonly case: 'fileDescriptorResponse'; readonly value: { fileDescriptorProto: Uint8Array[] } }
  | {
      readonly case: 'allExtensionNumbersResponse';
      readonly value: { baseTypeName: string; extensionNumber: number[] };
    }
  | { readonly case: 'listServicesResponse'; readonly value: { service: { name: string }[] } }
  | { readonly case: 'errorResponse'; readonly value: { errorCode: number; errorMessage: string } };

/**
 * Serves `grpc.reflection.v1` and its older name `v1alpha` for every service that is routed. Error details that services
 * send can be looked up too. The index is made when somebody asks first.
 */
export function routeReflection(router: ConnectRouter): void {
  let index: ReflectionIndex | null = null;
  const services = () => new Set(router.handlers.map(({ service }) => service));
  async function* answerAll<R extends Request>(requests: AsyncIterable<R>) {
    index ??= indexFiles([...[...services()].map(({ file }) => file), file_google_rpc_error_details]);
    const sent = new Set<DescFile>();
    for await (const request of requests) {
      const names = [...services()].map(({ typeName }) => typeName).sort();
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, index, names, sent) };
    }
  }
  router.service(ReflectionV1, { serverReflectionInfo: (requests) => answerAll(requests) });
  router.service(ReflectionV1Alpha, { serverReflectionInfo: (requests) => answerAll(requests) });
}

/** `sent`: the files that this stream has carried; grows. */
function answer(
  { messageRequest }: Request,
  index: ReflectionIndex,
  services: readonly string[],
  sent: Set<DescFile>,
): Answer {
  switch (messageRequest.case) {
    case 'listServices':
      return { case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } };
    case 'fileByFilename':
      return fileAnswer(index.fileByName(messageRequest.value), `file "${messageRequest.value}"`, sent);
    case 'fileContainingSymbol':
      return fileAnswer(index.fileOfSymbol(messageRequest.value), `symbol "${messageRequest.value}"`, sent);
    case 'fileContainingExtension': {
      const { containingType, extensionNumber } = messageRequest.value;
      const file = index.fileOfExtension(containingType, extensionNumber);
      return fileAnswer(file, `extension ${extensionNumber} of "${containingType}"`, sent);
    }
    case 'allExtensionNumbersOfType': {
      const baseTypeName = messageRequest.value;
      const numbers = index.extensionNumbers(baseTypeName);
      if (numbers === undefined) return notFound(`message "${baseTypeName}"`);
      return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber: [...numbers] } };
    }
    default:
      return { case: 'errorResponse', value: { errorCode: Code.InvalidArgument, errorMessage: 'nothing was asked' } };
  }
}

function fileAnswer(file: DescFile | undefined, what: string, sent: Set<DescFile>): Answer {
  if (file === undefined) return notFound(what);
  // The file itself always: a client that forgot it may ask again.
  const files = [...withImports(file)].filter((one) => one === file || !sent.has(one));
  for (const one of files) sent.add(one);
  return {
    case: 'fileDescriptorResponse',
    value: { fileDescriptorProto: files.map((one) => toBinary(FileDescriptorProtoSchema, one.proto)) },
  };
}

function notFound(what: string): Answer {
  return { case: 'errorResponse', value: { errorCode: Code.NotFound, errorMessage: `no ${what} here` } };
}

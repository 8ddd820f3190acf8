/** By its `content-type` a request is a gRPC call. */
export function isGrpcType(contentType: string | undefined): boolean {
  return contentType !== undefined && /^application\/grpc(?:$|[+;])/.test(contentType);
}

/** HTTP status by gRPC status code, as `google.rpc.Code` maps them. */
const HTTP_STATUS: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

export function httpStatusOf(grpcStatus: number): number {
  return HTTP_STATUS[grpcStatus] ?? 500;
}

import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from '@flotilla/wire/envoy/config/core/v3/base_pb.js';
import type { Headers, Headers_HeaderOperations } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { compareText } from '../../mesh/config.ts';
import type { Init } from '../protobuf.ts';

export interface HeaderEdits {
  readonly requestHeadersToAdd?: Init<typeof HeaderValueOptionSchema>[];
  readonly requestHeadersToRemove?: string[];
  readonly responseHeadersToAdd?: Init<typeof HeaderValueOptionSchema>[];
  readonly responseHeadersToRemove?: string[];
}

/**
 * Header operations as Envoy's edits. Of the request headers `host` and `:authority` cannot be edited this way; see
 * `authorityOf`.
 */
export function headerEdits(headers: Headers | undefined): HeaderEdits {
  const { request, response } = headers ?? {};
  return {
    ...(request === undefined
      ? {}
      : {
          requestHeadersToAdd: additions(request).filter((option) => !isAuthority(option.header?.key ?? '')),
          requestHeadersToRemove: [...request.remove],
        }),
    ...(response === undefined
      ? {}
      : { responseHeadersToAdd: additions(response), responseHeadersToRemove: [...response.remove] }),
  };
}

/** The value that the request's authority is set to, or `null`. */
export function authorityOf(headers: Headers | undefined): string | null {
  const { set = {}, add = {} } = headers?.request ?? {};
  return Object.entries({ ...add, ...set }).find(([name]) => isAuthority(name))?.[1] ?? null;
}

function isAuthority(name: string): boolean {
  return name.toLowerCase() === 'host' || name.toLowerCase() === ':authority';
}

function additions(operations: Headers_HeaderOperations): Init<typeof HeaderValueOptionSchema>[] {
  const options = (values: { [name: string]: string }, appendAction: AppendAction) =>
    Object.entries(values)
      .sort(([a], [b]) => compareText(a, b))
      .map(([key, value]) => ({ header: { key, value }, appendAction }));
  return [
    ...options(operations.set, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...options(operations.add, AppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}

import { FAULT_CODES, quote } from '@flotilla/model';
import type { FaultList, FieldPath } from '@flotilla/model';
import type { HTTPMatchRequest, HTTPRoute } from '@flotilla/wire/istio/networking/v1alpha3/virtual_service_pb.js';
import { checkLabels, isDnsLabel } from '../decode/header.ts';
import { checkDestination, checkWeights } from './destination.ts';
import { checkCors } from './http-cors.ts';
import { checkDuration, checkPercent, checkPort } from './field.ts';
import { checkFault } from './http-fault.ts';
import { checkHeaderName, checkHeaders } from './http-header.ts';
import { checkRedirect, checkDirectResponse, checkRewrite } from './http-answer.ts';
import { checkRetries } from './http-retries.ts';
import { checkStringMatch } from './string-match.ts';
import { checkGatewayName } from './virtual-service-gateways.ts';

export function checkHttpRoute(route: HTTPRoute, path: FieldPath, faults: FaultList): void {
  checkAnswers(route, path, faults);
  route.match.forEach((match, index) => checkMatch(match, [...path, 'match', index], faults));
  checkWeights(route.route, [...path, 'route'], faults);
  route.route.forEach(({ headers }, index) => checkHeaders(headers, [...path, 'route', index, 'headers'], faults));
  checkHeaders(route.headers, [...path, 'headers'], faults);
  checkRedirect(route.redirect, [...path, 'redirect'], faults);
  checkDirectResponse(route.directResponse, [...path, 'directResponse'], faults);
  checkRewrite(route.rewrite, [...path, 'rewrite'], faults);
  checkDuration(route.timeout, [...path, 'timeout'], faults);
  checkRetries(route.retries, [...path, 'retries'], faults);
  checkFault(route.fault, [...path, 'fault'], faults);
  checkCors(route.corsPolicy, [...path, 'corsPolicy'], faults);
  checkMirrors(route, path, faults);
}

/** A route answers in exactly one way: by destinations, by redirecting, by itself, or by another VirtualService. */
function checkAnswers(route: HTTPRoute, path: FieldPath, faults: FaultList): void {
  const answers = (['route', 'redirect', 'directResponse', 'delegate'] as const).filter((name) => {
    const value = route[name];
    return Array.isArray(value) ? value.length > 0 : value !== undefined;
  });
  if (answers.length === 0) {
    faults.error(path, 'the route says nothing to do with requests', 'Add route, redirect or directResponse.');
  }
  if (route.delegate !== undefined && route.delegate.name === '') {
    faults.error([...path, 'delegate'], '"name" is missing');
  }
  const [first, ...others] = answers;
  for (const other of others) faults.unexpected([...path, other], `${first} and ${other} exclude each other`);
  const answer =
    route.redirect !== undefined ? 'redirect' : route.directResponse !== undefined ? 'directResponse' : null;
  if (answer !== null && route.rewrite !== undefined) {
    faults.unexpected([...path, 'rewrite'], `${answer} and rewrite exclude each other`);
  }
  if (route.redirect !== undefined && route.fault !== undefined) {
    faults.unexpected([...path, 'fault'], 'redirect and fault exclude each other');
  }
}

function checkMatch(match: HTTPMatchRequest, path: FieldPath, faults: FaultList): void {
  for (const name of ['uri', 'scheme', 'method', 'authority'] as const) {
    checkStringMatch(match[name], [...path, name], faults);
  }
  for (const [field, matches] of [
    ['headers', match.headers],
    ['withoutHeaders', match.withoutHeaders],
  ] as const) {
    for (const [name, each] of Object.entries(matches)) {
      const at = [...path, field, name];
      if (name.startsWith('@request.auth.')) refuseClaims(at, faults);
      else checkHeaderName(name, at, faults);
      checkStringMatch(each, at, faults, { mayBePresence: true });
    }
  }
  for (const [name, each] of Object.entries(match.queryParams)) {
    checkStringMatch(each, [...path, 'queryParams', name], faults, { mayBePresence: true });
  }
  if (match.port !== 0) checkPort(match.port, [...path, 'port'], faults);
  checkLabels(match.sourceLabels, [...path, 'sourceLabels'], faults);
  if (match.sourceNamespace !== '' && !isDnsLabel(match.sourceNamespace)) {
    faults.error([...path, 'sourceNamespace'], `${quote(match.sourceNamespace)} is not a namespace`);
  }
  match.gateways.forEach((name, index) => checkGatewayName(name, [...path, 'gateways', index], faults));
}

function refuseClaims(path: FieldPath, faults: FaultList): void {
  faults.add({
    severity: 'error',
    code: FAULT_CODES.unsupported,
    path,
    subject: 'key',
    message: 'matching claims of a token is not supported yet',
    hint: 'Remove it. If it were ignored, requests would be routed whatever their token says.',
  });
}

function checkMirrors(route: HTTPRoute, path: FieldPath, faults: FaultList): void {
  if (route.mirror !== undefined) checkDestination(route.mirror, [...path, 'mirror'], faults);
  if (route.mirror !== undefined && route.mirrors.length > 0) {
    faults.unexpected([...path, 'mirrors'], 'mirror and mirrors exclude each other');
  }
  if (route.mirrorPercent !== undefined && route.mirrorPercentage !== undefined) {
    faults.unexpected([...path, 'mirrorPercent'], 'mirrorPercent and mirrorPercentage exclude each other');
  }
  checkPercent(route.mirrorPercent, [...path, 'mirrorPercent'], faults);
  checkPercent(route.mirrorPercentage?.value, [...path, 'mirrorPercentage', 'value'], faults);
  route.mirrors.forEach(({ destination, percentage }, index) => {
    checkDestination(destination, [...path, 'mirrors', index, 'destination'], faults);
    checkPercent(percentage?.value, [...path, 'mirrors', index, 'percentage', 'value'], faults);
  });
}

export { findPeer, withPeer, type PeerName } from './peers.ts';

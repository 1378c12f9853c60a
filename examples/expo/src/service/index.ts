/** The service that this build talks to: Pinata where the environment names one, otherwise the stub. */
import { pinata } from './pinata';
import { stub } from './stub';
import type { Service } from './types';

const gateway = process.env.EXPO_PUBLIC_PINATA_GATEWAY;
const tokenUrl = process.env.EXPO_PUBLIC_PINATA_TOKEN_URL;

export const service: Service = gateway && tokenUrl ? pinata({ gateway, tokenUrl }) : stub;

export { PAGE, type Share } from './types';

/** Thumbnails on the device, a verified IPFS cache, and uploads whose content ids are checked. */
export { FinalmileError, type FailureDetails } from './errors';
export {
  generatePlaceholder,
  generateThumbnailSet,
  paintPlaceholder,
  type MediaType,
  type Picture,
  type Placeholder,
  type Source,
  type ThumbnailOptions,
  type ThumbnailSet,
} from './thumbnails';
export { canonicalCid, cidOfBytes, cidOfFile, cidToV0, type ImportProfile } from './cids';
export { systemDecoder, type DecodeRequest, type PlatformDecoder } from './decoder';
export {
  IpfsCache,
  type CachedFile,
  type CacheOptions,
  type CacheStats,
  type ContentKind,
  type FetchOptions,
  type Gateway,
} from './cache';
export {
  expoNetwork,
  fetchNetwork,
  type Network,
  type NetworkAnswer,
  type NetworkRequest,
} from './network';
export { createQueue, PQueue, type AddOptions, type QueueOptions, type Task } from './queue';
export {
  createUploader,
  type Begun,
  type FinalCids,
  type StepContext,
  type UploadContext,
  type UploadedCids,
  type Uploader,
  type UploaderOptions,
  type UploaderSteps,
  type UploadJob,
  type UploadOptions,
  type UploadProgress,
  type UploadResult,
} from './uploader';
export type { RetryOptions } from './retry';
export {
  pinataUploader,
  setUploadToIPFS,
  uploadToIPFS,
  type PinataContext,
  type PinataOptions,
  type UploadToIpfs,
} from './pinata';
export { FinalmileProvider, useIpfsCache, type FinalmileProviderProps } from './react/provider';
export { useIpfsImage, type IpfsImageOptions, type IpfsImageState } from './react/useIpfsImage';
export { useThumbnailSet, type ThumbnailSetState } from './react/useThumbnailSet';
export { useFeedPrefetch, type FeedPrefetch, type ViewableItems } from './react/useFeedPrefetch';
export { IpfsImage, type IpfsImageProps } from './react/IpfsImage';
export type { Status } from './react/useTask';

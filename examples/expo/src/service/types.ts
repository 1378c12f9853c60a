/** What the app asks of its service. */
import type { Begun, Gateway, MediaType, Network, UploaderSteps } from 'react-native-finalmile';

/** A row of the view `media_shares_feed`: `display_cid` is the thumbnail, or the file where there is none. */
export interface Share {
  id: string;
  created_at: string;
  media_type: MediaType;
  ipfs_cid: string;
  display_cid: string;
  preview_cid: string | null;
  video_poster_cid: string | null;
  /** Base64, as a database keeps it. */
  thumbhash: string;
}

/** How many shares a page of the feed has. */
export const PAGE = 20;

/** What a service does for the app. */
export interface Service extends UploaderSteps<Begun> {
  /** One sentence for the share screen: where uploads go. */
  readonly place: string;
  /** Where the cache asks for content, and by which networking. */
  readonly gateways: Gateway[];
  network(): Network;
  /** The newest shares first; an empty page is the end. */
  page(index: number): Promise<Share[]>;
}

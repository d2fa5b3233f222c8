/** What an operator has to hear of, told as it happens. */
export interface OutboxHooks {
  /** A full backlog left out events of an endpoint; a `spillway_coalesced` tells it. */
  readonly onCoalesced?: (told: EndpointEvents) => void;
  /** Events became dead letters because of their age. What is told to give up tells of it itself. */
  readonly onDeadLettered?: (told: EndpointEvents & { readonly reason: string }) => void;
  /** Events are kept no longer and were never delivered: dead letters at their end, the backlog of a retired endpoint. */
  readonly onExpired?: (told: EndpointEvents) => void;
}

export interface EndpointEvents {
  readonly appId: string;
  readonly endpointId: string;
  readonly events: number;
}

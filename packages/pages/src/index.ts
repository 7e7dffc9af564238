export type {
  BodyForm,
  EditedRequest,
  ExchangeDetail,
  ExchangeList,
  ExchangeSummary,
  Header,
  InspectorEvent,
  Message,
  ReplayAnswer,
  ShownBody,
} from './api/inspector.ts';

//! The `webrtc` crate as the browser: a stack that shares nothing with ours. It calls the echo, and is called by a phone.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rtc::media_stream::MediaStreamTrack;
use rtc::rtp::{header::Header, packet::Packet};
use rtc::rtp_transceiver::rtp_sender::{RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use trunkline::codec::g711::Law;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceGatheringState,
    RTCSessionDescription,
};
use webrtc::runtime::{Runtime, TokioRuntime};

use super::daemon::{Daemon, own_address, without_acw};
use super::phone::Phone;
use super::{line, queue, tone};

const HZ: f64 = 1_000.0;
const SSRC: u32 = 4_711;
const PATIENCE: Duration = Duration::from_secs(20);

struct Ear {
    runtime: Arc<dyn Runtime>,
    gathered: UnboundedSender<()>,
    heard: UnboundedSender<Vec<u8>>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Ear {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            // Nobody waits for a second time.
            let _ = self.gathered.send(());
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let heard = self.heard.clone();
        self.runtime.spawn(Box::pin(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event
                    && heard.send(packet.payload.to_vec()).is_err()
                {
                    return;
                }
            }
        }));
    }
}

struct Browser {
    peer: Arc<dyn PeerConnection>,
    track: Arc<TrackLocalStaticRTP>,
    /// Of its next packet.
    number: u16,
    gathered: UnboundedReceiver<()>,
    heard: UnboundedReceiver<Vec<u8>>,
}

impl Browser {
    async fn open(host: Ipv4Addr) -> Self {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().expect("codecs");
        let runtime: Arc<dyn Runtime> = Arc::new(TokioRuntime);
        let ((gathered, gathering), (heard, hearing)) = (unbounded_channel(), unbounded_channel());
        let ear = Ear { runtime: Arc::clone(&runtime), gathered, heard };
        let peer = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_handler(Arc::new(ear))
            .with_runtime(runtime)
            .with_udp_addrs(vec![format!("{host}:0")])
            .build()
            .await
            .expect("a peer connection");
        let track = Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
            "stream".to_owned(),
            "microphone".to_owned(),
            "microphone".to_owned(),
            RtpCodecKind::Audio,
            vec![RTCRtpEncodingParameters {
                rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(SSRC), ..Default::default() },
                codec: RTCRtpCodec {
                    mime_type: "audio/PCMA".to_owned(),
                    clock_rate: 8_000,
                    channels: 0,
                    sdp_fmtp_line: String::new(),
                    rtcp_feedback: vec![],
                },
                ..Default::default()
            }],
        )));
        peer.add_track(Arc::clone(&track) as Arc<dyn TrackLocal>).await.expect("a track");
        Self { peer: Arc::new(peer), track, number: 0, gathered: gathering, heard: hearing }
    }

    /// Our description once every candidate is in it.
    async fn describe(&mut self, description: RTCSessionDescription) -> String {
        self.peer.set_local_description(description).await.expect("taken");
        tokio::time::timeout(PATIENCE, self.gathered.recv()).await.expect("candidates");
        self.peer.local_description().await.expect("a description").sdp
    }

    async fn offer(&mut self) -> String {
        let offer = self.peer.create_offer(None).await.expect("an offer");
        self.describe(offer).await
    }

    async fn answer(&mut self, offer: &str) -> String {
        let offer = RTCSessionDescription::offer(offer.to_owned()).expect("an offer");
        self.peer.set_remote_description(offer).await.expect("taken");
        let answer = self.peer.create_answer(None).await.expect("an answer");
        self.describe(answer).await
    }

    /// Speaks its tone until `hz` is what it hears.
    async fn expect_tone(&mut self, hz: f64) {
        let mut clock = tokio::time::interval(Duration::from_millis(20));
        let mut samples = Vec::new();
        let talk = async {
            while samples.len() < 8_000 || tone::share(&samples[samples.len() - 8_000..], hz) < 0.9 {
                tokio::select! {
                    _ = clock.tick() => {
                        let number = self.number;
                        let header = Header {
                            version: 2,
                            payload_type: 8,
                            sequence_number: number,
                            timestamp: u32::from(number) * 160,
                            ssrc: SSRC,
                            ..Default::default()
                        };
                        let payload = Bytes::from(tone::frame(HZ, u64::from(number)));
                        self.number = number.wrapping_add(1);
                        // Not connected yet: lost, as on a network.
                        let _ = self.track.write_rtp(Packet { header, payload }).await;
                    }
                    Some(payload) = self.heard.recv() => samples.extend(tone::decode(Law::Alaw, &payload)),
                }
            }
        };
        tokio::time::timeout(PATIENCE, talk).await.unwrap_or_else(|_| panic!("{hz} Hz is not heard"));
    }
}

fn floor() -> (Daemon, Phone) {
    let host = own_address();
    let server = std::net::SocketAddr::from((host, 8088));
    let daemon = Daemon::start_at(host, without_acw, &[("TRUNKLINE__SIP__WS", &server.to_string())]);
    let mut phone = Phone::over(line::websocket(server, None), "1001", daemon.sip, 440.0);
    assert!(phone.register("demo", 300).is("200"));
    (daemon, phone)
}

#[test]
fn the_webrtc_crate_hears_its_echo() {
    let (mut daemon, mut phone) = floor();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let mut browser = Browser::open(daemon.host).await;
        phone.described = Some(browser.offer().await);
        phone.invite_as("4002", "demo", "");
        let answer = phone.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
        phone.confirm(&answer);
        let sdp = RTCSessionDescription::answer(answer.body().to_owned()).expect("an answer");
        browser.peer.set_remote_description(sdp).await.expect("taken");
        browser.expect_tone(HZ).await;
        browser.peer.close().await.expect("closed");
    });
    phone.hang_up();
    daemon.stop();
}

#[test]
fn the_webrtc_crate_is_called_and_both_sides_hear_each_other() {
    let (mut daemon, mut phone) = floor();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut caller = queue::caller(&daemon);
    caller.invite("4001");
    let invite = phone.expect_invite();
    let mut browser = runtime.block_on(Browser::open(daemon.host));
    runtime.block_on(async {
        let answer = browser.answer(invite.body()).await;
        phone.reply_tagged(&invite, "200 OK", &answer);
        let accepted = caller.expect("200 to INVITE", |text| text.is("200") && text.header("CSeq").ends_with("INVITE"));
        caller.confirm(&accepted);
        browser.expect_tone(queue::CALLER_HZ).await;
    });
    let ear = &caller.ear;
    std::thread::scope(|scope| {
        let hears = scope.spawn(|| ear.until(25, HZ));
        while !hears.is_finished() {
            runtime.block_on(browser.expect_tone(queue::CALLER_HZ));
        }
        hears.join().expect("the browser is heard");
    });
    runtime.block_on(browser.peer.close()).expect("closed");
    caller.hang_up();
    daemon.stop();
}

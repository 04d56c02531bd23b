//! What other systems are told of, by the names that settings and notices use.

/// What other systems can be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Somebody has left a message, whose recording is closed.
    VoicemailLeft,
    /// Somebody is to be called back.
    CallbackRequested,
    /// Somebody was called back in vain, and will be again.
    CallbackPutOff,
    /// A request to be called back is done with.
    CallbackEnded,
    /// Somebody has answered a question about the service.
    SurveyAnswered,
}

impl NoticeKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::VoicemailLeft, Self::CallbackRequested, Self::CallbackPutOff, Self::CallbackEnded, Self::SurveyAnswered];

    /// Its name in settings and notices.
    pub fn name(self) -> &'static str {
        match self {
            Self::VoicemailLeft => "voicemail_left",
            Self::CallbackRequested => "callback_requested",
            Self::CallbackPutOff => "callback_put_off",
            Self::CallbackEnded => "callback_ended",
            Self::SurveyAnswered => "survey_answered",
        }
    }
}

package proxy

import "testing"

// everywhere runs in every mode.
func everywhere(tests ...func(*testing.T)) (all []behaviour) {
	for _, test := range tests {
		all = append(all, behaviour{test: test})
	}
	return all
}

// but runs in every mode but one, for a reason.
func but(m mode, why string, tests ...func(*testing.T)) []behaviour {
	all := everywhere(tests...)
	for i := range all {
		all[i].not = map[mode]string{m: why}
	}
	return all
}

// alone keeps tests from running beside others.
func alone(all []behaviour) []behaviour {
	for i := range all {
		all[i].alone = true
	}
	return all
}

// behaviours are the tests of what comes of a request. Their table is a function,
// since each of them leads back to it by way of classified.
func behaviours() []behaviour {
	var all []behaviour
	for _, some := range [][]behaviour{verdictBehaviours(), headBehaviours(), bodyBehaviours(), endBehaviours(), liveBehaviours(),
		but(resumed, longWaits,
			TestWhatIsInFlightIsCutByItselfOnceItsClientIsNoLongerBelieved,
			TestHostileAnswers,
			TestAnApplicationIsNotBlamedForASlowReader,
			TestListsMayBeHugeOrDamagedWhileRequestsRun,
			TestAnInspectionFindsWhatTheSidecarDoes,
			TestAShutdownWaitsForAnApplicationThatThinks,
			TestARequestIsNotRepeatedForAClientThatHasGone,
			TestTheAnswerToAClientThatHasGoneReachesNobodyElse,
			TestAClientThatGoesAwayIsCounted,
			TestAnApplicationThatDoesNotAcceptIsA504,
			TestEachLimitThatIsReachedIsCounted,
			TestTheApplicationIsToldWhenItsClientHasGone,
			TestTheIdleTimeoutIsCountedAfterAShallowWaitToo,
			TestWhateverTheApplicationDoesTheClientCanTellAndTheNextIsServed,
		),
		but(overHTTP2, readsWhileSending, TestAClientThatDoesNotReadMayStillSend),
		alone(everywhere(TestAResponderMaySayAnythingAndNobodyIsBelievedForIt)),
		alone(but(resumed, longWaits, TestNoAnswerIsDueWhileTheRequestIsBeingSent)),
		alone(but(resumed, itsOwnSessions, TestEachHostileCertificateHasItsOutcomeAndHarmsNobodyElse)),
	} {
		all = append(all, some...)
	}
	return all
}

const (
	itsOwnSessions = "it makes and resumes sessions of its own"
	longWaits      = "it takes long, and how its client was recognised plays no part in it"
)

// verdictBehaviours are about who the client is, and what is told of it.
func verdictBehaviours() []behaviour {
	return append(everywhere(
		TestEveryModeTellsWhatNginxTells,
		TestASmallerKeyIsAllowedWhereTheOperatorSaysSo,
		TestDepthCountsIntermediatesAsNginxDoes,
		TestAnOpenConnectionLosesBeliefWhenItsCertificateExpires,
		TestAnOpenConnectionLosesBeliefWhenAnIntermediateExpires,
		TestAnOpenConnectionGainsBeliefWhenItsCertificateBegins,
		TestAnOpenConnectionIsJudgedByTheSnapshotOfToday,
		TestAnOpenConnectionIsRefusedOnceItsCAIsNoLongerTrusted,
		TestAVerdictIsReachedOnceForAConnectionAndASnapshot,
		TestAnIdentityLargerThanItsLimitIsRefusedNotShortened,
		TestInAlertModeTheHandshakeFailsAndTheApplicationSeesNothing,
		TestARefusalsPageReachesAClientWhoseHandshakeIsFine,
		TestCVE202566491EveryModeWordDoesWhatItSays,
		TestCVE202246153AFailedReloadLeavesTheModeAsItWas,
		TestTheApplicationIsToldWhatMTLSHeadersNames,
		TestTheFactsAreOfTheVerifiedPath,
		TestAValueThatChangesWithTimeIsToldAnew,
		TestNoCacheComparesWhatOnlyTheApplicationSees,
		TestALargeIdentityIsLoggedWithItsSizeAndTheVariable,
		TestACertificateThatSaysTooMuchIsRefusedAndCounted,
		TestPathsAreServedAsMTLSRoutesSays,
		TestASecondPathIsLookedAtToo,
		TestTheFirstPathCountsBesideASecondOne,
		TestNobodyIsAdmittedWithoutIdentityLines,
		TestWhoIsNotAskedIsNotJudged,
		TestOneConnectionServesPathsOfEveryNeed,
		TestARefusalIsOneLineThatSaysWhoAndWhy,
		TestARefusalNamesTheCertificateAtFaultInTheChain,
		TestAMissingCertificateIsLoggedWithoutASubject,
		TestAServedRequestIsNotLogged,
		TestARequestsLineTellsWhoAskedForWhatAndHowItWent,
		TestWhoIsNotBelievedIsNotNamedInTheAccessLog,
		TestARequestHasOneLineAtMostAsMTLSAccessLogSays,
		TestWhatAClientSaysIsCutShortInTheLog,
		TestACrowdOfRefusalsDoesNotFillTheLog,
		TestWhereEveryRequestIsLoggedNoRefusalIsLeftOut,
		TestARefusalIsRememberedWithWhoAndWhatToDo,
		TestARefusalTellsWhichRuleOfMTLSRoutesDecided,
		TestNothingOfRequestOrCertificateIsOnThePage,
		TestNoConnectionKeepsAListThatIsNoLongerInForce,
	), but(resumed, itsOwnSessions,
		TestAResumedSessionTellsTheSame,
		TestAResumedSessionTellsTheSameOfAChainOfSeveral,
		TestASessionIsNotResumedAfterItsTime,
		TestASessionCannotRenewItselfForEver,
		TestASessionFromTheFutureIsNotResumed,
		TestASessionIsNotResumedWhenItsLeafHasExpired,
		TestASessionIsNotResumedWhenAnIntermediateHasExpired,
		TestASessionIsResumedUnderASnapshotThatStillTrustsItsCA,
		TestASessionIsNotResumedOnceItsCAIsNoLongerTrusted,
		TestASessionWithoutBeliefIsNeverResumed,
		TestWhateverChangesAResumedSessionIsJudgedByToday,
		TestAForgedTicketLeadsToAFullHandshakeNotToAnError,
		TestASessionWithoutACertificateIsNotResumedWhereOneIsRequired,
		TestAStampOfAnotherChainGivesNoBelief,
		TestAChainThatThisProcessHasNotJudgedIsResumedFromTheTicket,
		TestCVE202221654ASessionIsNotResumedUnderStricterRules,
		TestCVE202523419ATicketOfASidecarWithAnotherCADoesNotAuthenticateHere,
		TestCVE202568121ResumingAfterACARotationIsNoSuccess,
		TestCVE202639388AnIdentityGoesWithTheSessionNotWithWhoeverRenewsIt,
		TestCaddy1fbb28720AResumedConnectionIsJudgedAsAnyOther,
		TestHAProxy4a8f76220ASessionOfAnEasierModeDoesNotServeAStricterOne,
		TestHAProxy9f1d59099ATicketRenewedAgainAndAgainEndsWithItsCertificate,
		TestNode35317ASessionMadeWithoutACertificateNeverBecomesSuccess,
		TestAChainOf40KiBGetsNoTicketButAnAnswer,
		TestALargeStapleOfTheClientGetsNoTicketButAnAnswer,
		TestASessionAboveTheLimitIsNotResumed,
		TestCertificatesOf256KiBAreTheMostThatAClientMaySend,
	)...)
}

// headBehaviours are about what arrives of a request's head, and what is refused.
func headBehaviours() []behaviour {
	return everywhere(
		TestARequestArrivesAsItWasSentPlusWhatWeSay,
		TestTheClientsAddressIsToldAsConfigured,
		TestWhatTheClientSaysOfItsOriginIsReplaced,
		TestAWellFormedRequestIDIsKept,
		TestAMissingOrMalformedRequestIDIsMadeAnew,
		TestTargetsReachTheApplicationInOriginForm,
		TestALargeRequestHeadWithinTheLimitPasses,
		TestNoSpellingOfAnIdentityNameReachesTheApplication,
		TestTheVerdictOfABelievedClientStandsOnce,
		TestIdentityNamesDoNotArriveInTrailers,
		TestTheTrailerFieldAnnouncesNoIdentityNames,
		TestThatTrailersAreUnderstoodIsTold,
		TestOtherSpellingsOfFramingNamesDoNotArrive,
		TestOperatorsAddAndExceptNames,
		TestWhatIsAmbiguousIsRefusedAndTheConnectionClosed,
		TestABodyAboveTheLimitIsRefused,
		TestPagesComeAsTheClientPrefers,
		TestTheAnswerToHEADHasNoBody,
		TestARefusalOfHEADHasNoBody,
		TestARefusalIsNotLostToAResetWhileTheClientSends,
		TestAnApplicationThatCannotBeReachedIsA502,
		TestTheApplicationMayListenOnAUnixSocket,
		TestAnExposedApplicationIsNoticedWithTheFirstRequest,
		TestAnApplicationThatHasMovedToLoopbackIsUsedAgain,
		TestNoRequestPassesWhileTheApplicationIsExposed,
		TestRequestsPassAgainWithoutALookAtTheFiles,
	)
}

// bodyBehaviours are about answers and bodies.
func bodyBehaviours() []behaviour {
	return everywhere(
		TestABrokenHeadIsA502,
		TestABodyCutShortDoesNotLookWhole,
		TestAResetInACloseDelimitedAnswerIsACut,
		TestAHeadInManyPiecesIsPutTogether,
		TestAFaultInABodyOfWhichNothingWasSentIsA502,
		TestEveryFramingOfAnAnswerReachesTheClient,
		TestEveryFramingOfARequestReachesTheApplication,
		TestAConnectionToTheApplicationIsUsedAgain,
		TestAConnectionOnWhichSomebodySaidCloseIsNotUsedAgain,
		TestTheApplicationsKeepAliveTimeoutIsHeeded,
		TestAStaleConnectionIsDiscardedBeforeAPost,
		TestBytesAfterAnAnswerNeverReachTheNextClient,
		TestAnAnswerToHEADWithABodyDoesNotPoison,
		TestA204ThatAnnouncesABodyEndsItsConnection,
		TestAnEarlyAnswerReachesAClientThatIsStillSending,
		TestAnEarlyAnswerIsNotLostToAReset,
		TestInterimAnswersGoToThoseWhoUnderstandThem,
		TestAnInterimAnswerComesBeforeTheFinalOneIsThere,
		TestContinueIsAskedForAndGranted,
		TestAnAnswerComesAsItIsWritten,
		TestABodyGoesOnAsItComes,
		TestABodyAndWhatFollowsItAreToldApart,
		TestAnAbandonedUploadIsNoWholeRequest,
		TestLargeBodiesPassWholeInEveryFraming,
		TestBothBodiesPassAtOnce,
		TestMessagesMayArriveByteByByte,
		TestARequestThatMayBeRepeatedIsSentOnceMore,
		TestARequestIsNeverSentTwiceThatMayNotBe,
		TestNothingIsRepeatedAfterAnInterimAnswer,
		TestAFreshConnectionIsTriedOnce,
		TestARequestIsSentOnceMoreAndNoMore,
		TestARequestIsRepeatedOnAFreshConnection,
		TestARequestIsNotRepeatedForAConnectionThatIsCut,
	)
}

// endBehaviours are about time, and about clients, applications and sidecars that
// go away.
func endBehaviours() []behaviour {
	return append(everywhere(
		TestABodyThatDoesNotComeEndsTheExchange,
		TestAClientThatDoesNotReadIsCut,
		TestAnIdleConnectionEndsCleanly,
		TestAnOldConnectionsClientIsToldToMakeAnother,
		TestAnAnswerThatDoesNotComeIsA504,
		TestAnAnswerThatStallsIsCut,
		TestNoMoreConnectionsThanTheLimit,
		TestConnectionsThatAreTurnedAwayAreCounted,
		TestAShutdownEndsIdleConnectionsAtOnce,
		TestAShutdownLetsARequestInFlightFinish,
		TestAShutdownRefusesNewConnections,
		TestAShutdownThatRunsOutOfTimeCutsAndCounts,
	), everywhere(
		TestWhatAReloadWasAskedForIsInForceWhenItReturns,
		TestFilesInAFolderOfCAsComeAndGo,
		TestFilesInAFolderOfListsComeAndGo,
		TestADamagedListKeepsTheNewsOfAnotherNotOut,
		TestAFaultLeavesTheOldBeliefAndIsToldOnceUntilItIsMended,
		TestANewServerCertificateEndsNeitherConnectionsNorSessions,
		TestWhatAURLGaveStaysInForceWhenItGivesNoMore,
	)...)
}

// liveBehaviours are about belief that is lost while something is under way.
func liveBehaviours() []behaviour {
	return append(but(resumed, itsOwnSessions,
		TestAChangeCountsInEveryMode,
		TestAChangeCountsInEveryStateOfAConnection,
		TestWhatTheResponderSaysCountsInEveryStateOfAConnection,
	), everywhere(
		TestARespondersFailureCountsAsSoonAsItIsKnown,
		TestAShortAnswerIsEnoughToBeCut,
		TestARespondersSilenceUnrevokesNobody,
		TestWhatChangesWhileAResponderIsAskedCounts,
		TestAnAnswerThatIsRenewedEarlyCountsAtOnce,
		TestWhoIsBelievedAgainWithinTheSecondIsNotCut,
		TestACutIsLoggedWithItsReasonOnce,
		TestAnIdleConnectionIsNotCutButRefusedWhenItAsks,
		TestAnExchangeThatBeganWithoutBeliefGoesOn,
		TestWhereTheOtherSideDoesNotReadTheExchangeIsCutToo,
		TestSeveralLossesAreEachGivenTheirSecond,
		TestWhoLosesBeliefDuringAShutdownIsCut,
		TestAnExchangeOnAConnectionJudgedEarlierEndsWithItsCertificate,
		TestNothingJudgedByALaterTimeCountsOnceTheClockIsSetBack,
		TestAnAnswerThatWasForgottenIsNotAskedForAnewBeforeItsEnd,
	)...)
}

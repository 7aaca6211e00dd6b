package proxy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// ofOneCarrier are the tests that run a sidecar and run over one carrier alone, or
// are about none, by the reason. One that ends in a * stands for all
// that begin so.
func ofOneCarrier() map[string][]string {
	return map[string][]string{
		"HTTP/1.0 is a version of HTTP/1.1's syntax": {
			"TestAClientThatOffersHTTP10AloneIsServed",
			"TestAnOldClientSeesThatABodyWasCutShort",
			"TestAnOldClientWithoutHostIsGivenOne",
			"TestOldClientsGetWhatTheyUnderstand",
		},
		"requests behind each other on one connection: streams are side by side": {
			"TestARefusedRequestAfterAGoodOneEndsThePipeline",
			"TestARequestBehindASlowReaderIsJudgedWhenItsTurnComes",
			"TestARequestSentWhileTheApplicationThinksIsServedAfterwards",
			"TestAnEmptyLineBeforeARequestIsIgnored",
			"TestManyPipelinedRequestsAreAnsweredInOrder",
			"TestPipelinedBodiesOfEverySizeStayApart",
			"TestTheRestOfABodyAfterAnEarlyAnswerIsNoRequest",
		},
		"half a head: one in frames is net/http's to wait for": {
			"TestAClientThatGoesAfterItHasSentAheadIsMissed",
			"TestAHeadThatDoesNotComeEndsTheConnection",
			"TestAShutdownLetsARequestThatIsStillArrivingFinish",
			"TestASlowHeadIsAnsweredWithThePage",
			"TestThousandsOfTricklingClientsLeaveTheOthersServed",
		},
		"what a client has sent ahead, which over HTTP/2 net/http has read": {
			"TestASmallBodyThatIsThereGoesOutWithItsHead",
			"TestABodyOfWhichAPartIsThereGoesOnWithTheRest",
			"TestAnEarlyAnswerCountsHoweverMuchOfTheBodyIsThere",
			"TestEachRecordOfALargeUploadHasItsOwnTime",
			"TestWhatAnUploadGathersDoesNotGrow",
			"TestAnUploadHoldsALargeBufferOnlyWhileItsClientIsAhead",
			"TestARecordOfWhichAPartIsThereIsReadLater",
			"TestAnUploadAndItsAnswerMayAskForTheSocketAtOnce",
		},
		"fields of the connection, which HTTP/2 has not (RFC 9113 section 8.2.2)": {
			"TestAConnectionFieldTakesNothingOfOursAway",
			"TestNominatedAndHopByHopFieldsGoNoFurther",
		},
		"Upgrade, which HTTP/2 has not (RFC 9113 section 8.6)": {
			"TestATunnelIsLoggedWhenItOpensAndWhenItCloses",
			"TestAShutdownClosesTunnelsAndCountsThem",
			"TestASwitchThatWasNotAskedForIsA502",
			"TestATornTunnelEndsOnBothSides",
			"TestATunnelCarriesTheIdentityOnItsRequestAndBytesBothWays",
			"TestATunnelInWhichNothingHappensEnds",
			"TestATunnelInWhichOneSideSpeaksStays",
			"TestAnUpgradeIsNeitherAskedForNorAnnounced",
			"TestBytesAfterTheHeadWaitForTheSwitch",
			"TestEitherSideOfATunnelMayEndFirst",
			"TestOnlyPermittedUpgradesAreAskedFor",
			"TestWithoutTheSwitchWhatFollowsIsTheNextRequest",
		},
		"the corpus is of bytes of HTTP/1.1; TestHostileRequestsOverHTTP2 sends what HTTP/2 has words for": {
			"TestHostileRequests",
		},
		"it speaks HTTP/2 in frames of its own, or chooses the protocol": {
			"TestFieldsThatSpeakForUsDoNotArriveOverHTTP2",
			"TestHostileRequestsOverHTTP2",
			"TestInEveryMode",
			"TestOnlyHTTP11IsNegotiatedWhereHTTP2IsOff",
			"TestTheModeOfResumedSessionsResumesThem",
			"TestAbuse*",
			"TestH2C*",
			"TestOverHTTP2*",
			"TestAnErrorOfThisProgramEndsOneStreamAndIsTold",
			"TestUploadsThatAreTooLargeAreNoFlood",
			"TestWhatIsInFlightOnAnOldConnectionEndsWhole",
			"TestViolations*",
		},
		"the handshake, before anything is carried": {
			"TestEveryRefusalIsOneLineAndOneEntryWithARemedy",
			"TestACertificateCutAnywhereEndsTheHandshake",
			"TestACertificateThatTLSItselfRefusesIsTypedCountedAndLogged",
			"TestACertificateWithoutItsKeyIsNotBelievedNorRemembered",
			"TestAClientThatRejectsOurCertificateIsLoggedAsSuch",
			"TestAClientThatResetsDuringTheHandshakeHarmsNobody",
			"TestAHandshakeThatStopsHalfwayIsCutByItsDeadline",
			"TestAHandshakeThatTakesTooLongIsCounted",
			"TestAProofByAnotherKindOfKeyIsNoProof",
			"TestARefusedHandshakeLogsNoSubject",
			"TestAShutdownDoesNotWaitForHandshakes",
			"TestAShutdownServesTheFirstRequestOfWhoHasJustConnected",
			"TestAShutdownServesTheFirstRequestOfWhoWasStillInTheHandshake",
			"TestAShutdownServesWhoStandsInTheKernelsQueue",
			"TestASilentConnectionIsClosedAfterTheHandshakeTimeout",
			"TestATLSVersionBelowTheLeastIsRefused",
			"TestAnAlertOfTheClientIsCounted",
			"TestAnErrorThatRepeatsTheClientsBytesIsCutAndMadeVisible",
			"TestCVE202223632AServerNameWithATrailingDotEndsTheHandshake",
			"TestCVE202627586AnUnusableCAFileNeverMeansTheSystemsRoots",
			"TestCVE202632305AClientHelloInPiecesIsSubjectToTheSameRules",
			"TestConnectionsInTheirHandshakeCount",
			"TestNoCertificateIsAskedForWhereVerifyingIsOff",
			"TestPlainHTTPIsToldThatThisPortSpeaksTLS",
			"TestProbesThatNeverSpeakTLSAreLoggedAtDebugOnly",
			"TestRefusedCertificatesLeaveNoMemoryBehind",
			"TestTheACMEProtocolIsNoWayRoundTheClientsCertificate",
			"TestTheAlertReachesAClientThatIsAlreadySending",
			"TestTheCAsNamesAreOfferedInFileOrderEachOnce",
			"TestTheHandshakesDeadlineDoesNotOutliveIt",
			"TestTheServersCertificateIsOneThatTheClientSupports",
			"TestTheServersWholeChainIsSent",
			"TestTooManyCANamesAreLeftOutWithAWarning",
			"TestWhatIsNoCertificateEndsTheHandshake",
			"TestWhatIsNoCorrectTLSIsLoggedAsSuch",
			"TestWhereClientAndServerHaveNothingInCommonTheLogSaysWhat",
		},
		"the admin port, which is plain HTTP": {
			"TestAListThatNobodyHasProvedIsToldAsWaiting",
			"TestProbesReachTheApplicationAsNobody",
			"TestReadinessAsksTheApplicationWhereThatIsWanted",
			"TestTheAdminPortTellsWhatTheSidecarWaitsFor",
			"TestTheStatusTellsWhatIsInForceAndWhoWasRefused",
		},
		"its client is openssl": {
			"TestAKeyUpdateAfterALongPauseBreaksNothing",
			"TestAnOpenSSLClientThatRejectsOurCertificateIsGuessedAt",
			"TestCVE20190215AnOfferToBeAskedLaterProvesNothing",
			"TestCVE202223632NoServerNameLeadsToOtherRules",
			"TestOpenSSLResumesAcrossSidecarsThatShareAKeyFile",
			"TestOpenSSLWithAChainOf40KiBGetsNoTicketButAnAnswer",
		},
		"tickets themselves": {
			"TestATicketKeyThatEverybodyMayReadDoesNotReplaceTheOldOnes",
			"TestATicketOfAnotherServerLeadsToAFullHandshake",
			"TestATicketWithoutOurStampLeadsToAFullHandshake",
			"TestNewTicketKeysComeIntoForceHoweverTheirFilesWereReplaced",
			"TestNoTicketIsEmptyInTLS12AloneAndOpensNowhere",
			"TestTheLimitOfASessionIs32KiB",
			"TestWhatATicketSaysOfAChainIsNotStoredBeforeTheHandshakeHasEnded",
		},
		"the rows of another test, with openssl in the place of Go's CA": {
			"TestAChangeByOpensslCountsInEveryStateOfAConnection",
			"TestWhatOpensslAsTheResponderSaysCountsInEveryStateOfAConnection",
		},
		"no request, or one that only shows what a reload has brought": {
			"TestAFaultInOneSetDoesNotKeepTheNewsOfAnotherOut",
			"TestAFaultIsToldAgainToWhoeverAsks",
			"TestAFaultThatStandsIsNotToldAtEveryPoll",
			"TestAListThatEndsInForceIsTold",
			"TestAListThatIsNotBelievedIsToldOnceUntilItIsGone",
			"TestAListThatIsReadAgainIsHeldOnce",
			"TestAPairCaughtHalfWrittenIsTakenOnceItIsWhole",
			"TestAReloadWithoutAChangeOfBeliefForgetsNoVerdict",
			"TestASecondFaultIsToldAnewAndTheTroubleKeepsItsBeginning",
			"TestAShutdownBeforeServeMakesServeReturn",
			"TestAStartAndAShutdownAtOnceAreNoRace",
			"TestAWarningOfAReloadIsToldOnce",
			"TestAnExposureIsToldWhenItBeginsAndWhenItEnds",
			"TestChangedFilesComeIntoForceHoweverTheyWereReplaced",
			"TestFilesThatAreOnlyTouchedChangeNothing",
			"TestFilesThatKeepChangingWhileTheyAreReadAreLeftToTheNextLook",
			"TestNoTroubleTellsThePasswordOfAURL",
			"TestReloadsAskedForAtOnceAllEnd",
			"TestTheListOfACAThatIsRetiredIsNoTroubleWhenItEnds",
			"TestTheStartDoesNotWaitForAListThatANewerOneHasOvertaken",
			"TestTheStartWaitsForAListThatIsBelieved",
			"TestTheStartWaitsForTheFirstListOfEachURL",
			"TestTheStartWaitsWhereTwoURLsGiveTheSameRefusedList",
			"TestTheWaitForAListCanBeEnded",
			"TestTwoURLsThatDifferInTheirUsersHaveTroublesOfTheirOwn",
			"TestWhatFetchesListsHearsOfRefusedOnes",
			"TestWhatIsNeverTwiceTheSameIsNotTaken",
			"TestWhereThereIsNothingToLookAtNobodyHasLooked",
		},
		"each carrier has series of its own: TestMetricsOfHTTP2 reads those of HTTP/2": {
			"TestMetrics*",
		},
		"a part of the sidecar by itself, or what it allocates": {
			"TestALargeAnswerLeavesNothingCorked",
			"TestALoggedRequestCostsNoAllocation",
			"TestABodyCountsAsReadBeforeItsLastPieceIsSent",
			"TestAConnectionIsNotKeptWhenTheLastPieceOfABodyWasNotSent",
			"TestARequestThatLookedAtTheClockJustBeforeTheEndIsCutAllTheSame",
			"TestARequestOverHTTP2AllocatesLittleBesidesWhatNetHTTPDoes",
			"TestASmallRequestIsRelayedWithoutAllocation",
			"TestJudgingAnUnchangedVerdictAllocatesNothing",
			"TestManyTunnelsWhoseAnswersEndKeepNobodyElseOut",
		},
		"load: its clients are made for speed": {
			"TestAThousandReloadsUnderLoadHarmNobodyAndDeceiveNobody",
		},
		"PROXY headers and addresses, below TLS": {
			"TestABalancerThatSendsNoHeaderIsTurnedAway",
			"TestAConnectionWithoutItsHeaderYetCountsAsOpen",
			"TestAHeaderIsBoundedByTheHandshakesTimeout",
			"TestAHeaderOfSomebodyElseIsTurnedAway",
			"TestAHeaderThatComesInPiecesIsRead",
			"TestAHealthCheckThatEndsWithinTheHandshakeIsNoFailure",
			"TestAMalformedHeaderIsTurnedAway",
			"TestAPeerOverAUnixSocketIsToldAsNginxTellsIt",
			"TestASecondHeaderIsTurnedAway",
			"TestAShutdownDoesNotWaitForHeaders",
			"TestASocketThatNobodyListensOnIsReplaced",
			"TestAUnixSocketIsOpenToEveryUserAndGoneAfterwards",
			"TestAnAddressThatIsNotToBeHadIsNamedWithARemedy",
			"TestBehindAHeaderEverythingElseWorks",
			"TestHealthChecksAreLoggedAtDebugOnly",
			"TestOverAnIPv6SocketRangesOfIPv6Count",
			"TestTheAddressInAHeaderIsTheClients",
			"TestTheFamiliesOfAListenerAreThoseOfItsAddress",
			"TestTheNextSidecarMayListenWhileTheLastOneFinishes",
			"TestTrustIsBySocketNotByWhatAHeaderSays",
			"TestWhatFollowsAHeaderIsLeftForTLS",
			"TestWhatStandsInTheWayIsLeftAloneAndNamed",
		},
	}
}

// isOfOneCarrier reports whether a test is in that list.
func isOfOneCarrier(test string) bool {
	for _, names := range ofOneCarrier() {
		for _, name := range names {
			if beginning, many := strings.CutSuffix(name, "*"); name == test || many && strings.HasPrefix(test, beginning) {
				return true
			}
		}
	}
	return false
}

// TestTheListsOfModesNameTestsThatExist keeps what was renamed or removed from staying in them.
func TestTheListsOfModesNameTestsThatExist(t *testing.T) {
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				declared = append(declared, f.Name.Name)
			}
		}
	}
	for why, names := range ofOneCarrier() {
		for _, name := range names {
			beginning, many := strings.CutSuffix(name, "*")
			if !slices.ContainsFunc(declared, func(d string) bool { return d == name || many && strings.HasPrefix(d, beginning) }) {
				t.Errorf("%s, listed under %q, does not exist", name, why)
			}
			if slices.ContainsFunc(behaviours(), func(b behaviour) bool { return b.name() == name }) {
				t.Errorf("%s is listed under %q, and runs in every mode", name, why)
			}
		}
	}
}

"""May the project's service role log in to ECR Public?"""

from __future__ import annotations

from unhub.aws.least import Use, needs
from unhub.aws.policy import Outcome
from unhub.aws.policy_check import Check, check
from unhub.doctor.codebuild.looking import ProjectCheck, Surroundings
from unhub.doctor.codebuild.policies import policies_of
from unhub.doctor.codebuild.project import Project
from unhub.doctor.verdict import Remedy, Verdict, failed, ok, warning


def look(project: Project, around: Surroundings) -> Verdict:
    """The two permissions, decided from the role's policies and its boundary."""
    done = check(policies_of(around.session, project.role), needs(Use.PULL), {})
    evidence = [f"{result.need.action}: {result.decision.outcome}, {'; '.join(result.reasons)}" for result in done.results]
    evidence += [f"{mistake.place}: {mistake.says}" for mistake in done.mistakes]
    return _verdict(project, done).having(*evidence)


def _verdict(project: Project, done: Check) -> Verdict:
    mend = Remedy("This prints the policy and the command that attaches it:", f"unhub iam-policy --role {project.role}")
    lacking = [result for result in done.results if not result.decision.allowed]
    if not lacking:
        unseen = " as far as the policies could be read" if done.unseen else ""
        return ok(f"{project.role} may log in to ECR Public{unseen}")
    names = " and ".join(result.need.action for result in lacking)
    if any(result.decision.outcome is Outcome.EXPLICIT_DENY for result in lacking):
        return failed(f"a policy denies {project.role} {names}", *(Remedy(result.fix) for result in lacking if result.fix))
    if all(result.decision.outcome is Outcome.DEPENDS for result in lacking):
        return warning(f"whether {project.role} may use {names} depends on a condition", mend)
    return failed(f"{project.role} may not use {names}", mend)


CHECK = ProjectCheck("service-role", "Service role", look)
